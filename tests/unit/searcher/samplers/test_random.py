"""Random sampling: within bounds, over the whole range, from the given generator alone."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.config import Space
from etude_searcher.samplers.random import RandomSampler


def draws(parameter: Any, count: int, seed: int = 0) -> list[Any]:
    sampler = RandomSampler(Space.model_validate({"p": parameter}))
    generator = np.random.default_rng(seed)
    return [sampler.draw(index + 1, generator)["p"] for index in range(count)]


def test_integers_include_both_ends() -> None:
    assert set(draws({"type": "int", "minval": -1, "maxval": 2}, 200)) == {-1, 0, 1, 2}


def test_the_exponent_of_a_log_parameter_is_uniform() -> None:
    exponents = np.log10(draws({"type": "log", "minval": -4, "maxval": 0}, 2000))
    histogram, _ = np.histogram(exponents, bins=4, range=(-4, 0))
    assert all(400 < count < 600 for count in histogram)


def test_a_base_of_its_own() -> None:
    assert all(2 <= value <= 8 for value in draws({"type": "log", "base": 2, "minval": 1, "maxval": 3}, 100))


def test_categories_keep_their_json_type() -> None:
    vals = [1, 1.5, "1", None, [1], {"a": True}]
    assert all(value in vals for value in draws({"type": "categorical", "vals": vals}, 50))


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.integers(0, 100))
def test_doubles_stay_within_their_bounds(low: float, width: float, seed: int) -> None:
    [value] = draws({"type": "double", "minval": low, "maxval": low + width}, 1, seed)
    assert low <= value <= low + width


def test_every_drawn_value_is_plain_json() -> None:
    space = {
        "i": {"type": "int", "minval": 0, "maxval": 9},
        "d": {"type": "double", "minval": 0, "maxval": 1},
        "net": {"l": {"type": "log", "minval": -1, "maxval": 0}, "c": 3},
    }
    drawn = RandomSampler(Space.model_validate(space)).draw(1, np.random.default_rng(0))
    assert (type(drawn["i"]), type(drawn["d"])) == (int, float)
    nested = drawn["net"]
    assert isinstance(nested, dict)
    assert type(nested["l"]) is float
    assert nested["c"] == 3


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_generator_gives_the_same_draw(seed: int) -> None:
    parameter = {"type": "double", "minval": 0, "maxval": 1}
    assert draws(parameter, 3, seed) == draws(parameter, 3, seed)
    assert draws(parameter, 3, seed) != draws(parameter, 3, seed + 1)
