"""The hyperparameter space: types, bare values and nesting."""

from typing import Any

import pytest
from pydantic import ValidationError

from etude.config import Categorical, Const, Double, Int, Log, Space


def parameters(**hyperparameters: Any) -> dict[str, Any]:
    return {".".join(path): parameter for path, parameter in Space.model_validate(hyperparameters).parameters()}


def test_every_type_is_read() -> None:
    found = parameters(
        a={"type": "int", "minval": 1, "maxval": 2},
        b={"type": "double", "minval": 0, "maxval": 1},
        c={"type": "log", "minval": -3, "maxval": 0},
        d={"type": "categorical", "vals": [1, "x", None]},
        e={"type": "const", "val": 3},
    )
    assert [type(parameter) for parameter in found.values()] == [Int, Double, Log, Categorical, Const]
    assert found["c"].base == 10


@pytest.mark.parametrize("value", [1, 0.5, "adam", None, True, [1, {"x": 2}]])
def test_a_bare_value_is_constant(value: Any) -> None:
    assert parameters(p=value)["p"] == Const(val=value)


def test_a_mapping_without_a_type_nests_and_names_are_sorted() -> None:
    found = parameters(net={"width": 8, "act": {"type": "categorical", "vals": ["relu"]}}, lr=0.1, empty={})
    assert list(found) == ["lr", "net.act", "net.width"]


@pytest.mark.parametrize(
    "parameter",
    [
        {"type": "int", "minval": 2, "maxval": 1},
        {"type": "int", "minval": 1.5, "maxval": 3},
        {"type": "double", "minval": float("nan"), "maxval": 1},
        {"type": "log", "base": 0, "minval": 0, "maxval": 1},
        {"type": "log", "base": 1, "minval": 0, "maxval": 1},
        {"type": "int", "minval": 1, "maxval": 9, "step": 4, "prior": 6},
        {"type": "double", "minval": 0, "maxval": 1, "step": 0.1, "prior": 0.25},
        {"type": "log", "minval": -4, "maxval": 0, "step": 1, "prior": 0.005},
        {"type": "categorical", "vals": []},
        {"type": "categorical"},
        {"type": "int", "minval": 0, "maxval": 1, "count": 0},
        {"type": "int", "minval": 0, "maxval": 1, "step": 2, "colour": "red"},
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(parameter: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parameters(p=parameter)


def test_one_value_is_a_range() -> None:
    assert parameters(p={"type": "int", "minval": 3, "maxval": 3})["p"].minval == 3


@pytest.mark.parametrize(
    "parameter",
    [
        {"type": "int", "minval": 1, "maxval": 9, "step": 4, "prior": 5},
        {"type": "double", "minval": 0.1, "maxval": 1, "step": 0.1, "prior": 0.3},
        {"type": "log", "minval": -4, "maxval": 0, "step": 1, "prior": 0.001},
    ],
)
def test_a_prior_lies_on_a_step(parameter: dict[str, Any]) -> None:
    assert parameters(p=parameter)["p"].prior == parameter["prior"]


def test_a_prior_between_steps_is_told_the_nearest() -> None:
    with pytest.raises(ValidationError, match=r"prior 0\.25 lies between two steps; the nearest are 0\.2 and 0\.3"):
        parameters(p={"type": "double", "minval": 0, "maxval": 1, "step": 0.1, "prior": 0.25})


def test_a_parameter_may_be_called_type() -> None:
    assert list(parameters(o={"type": {"type": "categorical", "vals": ["a"]}, "lr": 1})) == ["o.lr", "o.type"]
