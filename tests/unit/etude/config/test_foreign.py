"""Parameters without a type, or in other tools' words: told apart from groups, and told in ours."""

from typing import Any

import pytest

from etude.config import ConfigError, loads
from etude.config.foreign import holds_parameter, in_our_words, is_parameter

FOREIGN: list[tuple[str, dict[str, Any], str]] = [
    ("no type, whole", {"minval": 1, "maxval": 8}, "{type: int, minval: 1, maxval: 8}"),
    ("no type, real", {"minval": 0.1, "maxval": 8}, "{type: double, minval: 0.1, maxval: 8}"),
    ("no type, base", {"minval": -4, "maxval": -1, "base": 10}, "{type: log, base: 10, minval: -4, maxval: -1}"),
    ("no type, list", {"vals": [1, 2]}, "{type: categorical, vals: [1, 2]}"),
    ("no type, value", {"val": 3}, "{type: const, val: 3}"),
    ("W&B list", {"values": ["a", "b"]}, "{type: categorical, vals: [a, b]}"),
    ("W&B range", {"min": 0.001, "max": 0.1}, "{type: double, minval: 0.001, maxval: 0.1}"),
    ("W&B value", {"value": 7}, "{type: const, val: 7}"),
    (
        "W&B log",
        {"distribution": "log_uniform_values", "min": 1e-4, "max": 1},
        "{type: log, minval: -4, maxval: 0}",
    ),
    (
        "W&B exponents",
        {"distribution": "log_uniform", "min": -9, "max": -2},
        "{type: log, base: 2.71828, minval: -9, maxval: -2}",
    ),
    ("NNI choice", {"_type": "choice", "_value": [16, 32]}, "{type: categorical, vals: [16, 32]}"),
    ("NNI uniform", {"_type": "uniform", "_value": [0, 1]}, "{type: double, minval: 0, maxval: 1}"),
    ("NNI log", {"_type": "loguniform", "_value": [0.001, 1]}, "{type: log, minval: -3, maxval: 0}"),
    ("NNI randint", {"_type": "randint", "_value": [2, 9]}, "{type: int, minval: 2, maxval: 9}"),
    (
        "Katib",
        {"parameterType": "double", "feasibleSpace": {"min": "0.01", "max": "0.03"}},
        "{type: double, minval: 0.01, maxval: 0.03}",
    ),
    ("Ray", {"grid_search": [1, 2]}, "{type: categorical, vals: [1, 2]}"),
    ("Optuna", {"low": 1e-5, "high": 0.1, "log": True}, "{type: log, minval: -5, maxval: -1}"),
    ("Syne Tune", {"lower": 1, "upper": 9}, "{type: int, minval: 1, maxval: 9}"),
]


@pytest.mark.parametrize(("written", "ours"), [pytest.param(w, o, id=name) for name, w, o in FOREIGN])
def test_it_is_no_group_of_constants_and_is_told_in_our_words(written: dict[str, Any], ours: str) -> None:
    assert is_parameter(written)
    assert in_our_words(written) == ours


@pytest.mark.parametrize(
    "group",
    [
        {"width": 8, "depth": 2},
        {"min": {"type": "int", "minval": 1, "maxval": 2}, "max": 3},
        {"min_lr": 0.1, "max_lr": 1},
        {"scale": 2.0},
        {"value_head": True, "values": 3},
        {},
    ],
)
def test_a_group_stays_one(group: dict[str, Any]) -> None:
    assert not is_parameter(group)


def told(space: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loads(f"entrypoint: a:B\nsearcher: {{name: single, metric: l, max_length: 1}}\nhyperparameters: {space}")
    return [f"{problem.path}: {problem.message}" for problem in caught.value.problems]


def test_a_range_without_a_type_is_a_mistake_with_its_place() -> None:
    [problem] = told("{net: {lr: {minval: -4, maxval: -1}}}")
    assert problem.startswith("hyperparameters.net.lr: a parameter needs a type: const, int, double, log, categorical;")
    assert problem.endswith("perhaps {type: int, minval: -4, maxval: -1}")


def test_a_type_of_another_tool_is_told_in_our_words() -> None:
    [problem] = told("{lr: {type: loguniform, min: 0.001, max: 1}}")
    assert problem.endswith("no hyperparameter type is called 'loguniform'; write {type: log, minval: -3, maxval: 0}")


def test_all_of_a_pasted_sweep_are_told() -> None:
    assert len(told("{parameters: {lr: {min: 0.1, max: 1}, units: {values: [1, 2]}}}")) == 2


def test_a_group_has_no_condition() -> None:
    [problem] = told("{net: {condition: 'x > 1', width: {type: int, minval: 1, maxval: 2}}, x: 1}")
    assert problem == "hyperparameters.net: a group has no condition of its own; give one to each of its parameters"


def test_a_constant_called_type_is_told_how_to_be_one() -> None:
    [problem] = told("{optimizer: {type: adam, lr: {type: int, minval: 1, maxval: 2}}}")
    assert problem.endswith("for a parameter that is called type, write type: {type: const, val: adam}")


def test_parameters_within_constants_are_mistakes() -> None:
    assert "would never vary" in told("{layers: [{type: int, minval: 1, maxval: 9}, 3]}")[0]
    choices = "[{kind: a, lr: {type: double, minval: 0, maxval: 1}}, {kind: b}]"
    assert "each of vals is a constant" in told(f"{{o: {{type: categorical, vals: {choices}}}}}")[0]
    assert not holds_parameter([{"type": "conv", "size": 3}, {"type": "int"}])
