"""Conditions and constraints name hyperparameters; what they name that is none is told, whatever else is wrong."""

import pytest

from etude.config import ConfigError, loads

HEAD = "entrypoint: a:B\nsearcher: {name: single, metric: loss, max_length: 1}\n"


def told(text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        loads(HEAD + text)
    return {problem.path: problem.message for problem in caught.value.problems}


def test_other_mistakes_hide_no_names() -> None:
    found = told(
        "hyperparameters:\n"
        "  x: {type: int, minval: 1, maxval: 9, prior: 70}\n"
        "  y: {type: double, minval: 0, maxval: 1, condition: z > 1}\n"
        "constraints: ['x <= w', 'x < 9']\n"
    )
    assert set(found) == {"hyperparameters.x", "hyperparameters.y.condition", "constraints.0"}
    assert found["constraints.0"] == "'x <= w' names w, which is no hyperparameter; there are: x, y"


def test_the_nearest_name_is_told() -> None:
    found = told("hyperparameters: {net: {width: 8}}\nconstraints: ['net.widht < 9']")
    assert found["constraints.0"].endswith("did you mean net.width?")


def test_a_name_with_a_hyphen_is_told_how_to_be_written() -> None:
    found = told("hyperparameters: {batch-size: {type: int, minval: 1, maxval: 9}}\nconstraints: ['batch-size < 9']")
    assert found["constraints.0"].endswith("did you mean `batch-size`, in backquotes?")


def test_names_with_hyphens_dots_and_the_word_type_can_be_named() -> None:
    config = loads(
        HEAD + "hyperparameters:\n"
        "  batch-size: {type: int, minval: 1, maxval: 9}\n"
        "  optimizer.lr: {type: double, minval: 0, maxval: 1}\n"
        "  optimizer: {type: {type: categorical, vals: [sgd, adam]}, momentum: {type: double, minval: 0, maxval: 1, "
        "condition: optimizer.type == 'sgd'}}\n"
        "constraints: ['`batch-size` * optimizer.lr < 9', '`optimizer.lr` >= 0']\n"
    )
    paths = [path for path, _ in config.hyperparameters.parameters()]
    assert paths == [("batch-size",), ("optimizer", "momentum"), ("optimizer", "type"), ("optimizer.lr",)]


def test_a_group_is_no_parameter() -> None:
    assert (
        "names net, which is no hyperparameter"
        in told("hyperparameters: {net: {w: 1}}\nconstraints: ['net > 1']")["constraints.0"]
    )
