"""Sobol sampling: even coverage, the same for the same seed, in whatever order points are asked for."""

from typing import Any

import numpy as np
import pytest

from etude.config import Space
from etude_searcher.samplers.sobol import SobolSampler

SPACE = Space.model_validate({name: {"type": "double", "minval": 0, "maxval": 1} for name in "abc"} | {"fixed": 1})


def point(sampler: SobolSampler, index: int) -> list[Any]:
    return list(sampler.draw(index, np.random.default_rng(0)).values())


def test_each_half_of_every_axis_gets_half_of_the_points() -> None:
    sampler = SobolSampler(SPACE, seed=3)
    points = np.array([point(sampler, index)[:3] for index in range(1, 65)])
    assert (np.sum(points < 0.5, axis=0) == 32).all()


def test_points_do_not_depend_on_the_order_in_which_they_are_asked_for() -> None:
    first, second = SobolSampler(SPACE, seed=3), SobolSampler(SPACE, seed=3)
    assert [point(first, n) for n in range(1, 200)] == [point(second, n) for n in reversed(range(1, 200))][::-1]


@pytest.mark.parametrize("seed", [4, 5])
def test_a_seed_is_a_sequence(seed: int) -> None:
    assert point(SobolSampler(SPACE, seed=3), 1) != point(SobolSampler(SPACE, seed=seed), 1)


def test_what_is_drawn_again_is_drawn_at_random() -> None:
    sampler = SobolSampler(SPACE)
    again = sampler.draw(1, np.random.default_rng(9), attempt=1)
    assert list(again.values())[:3] != point(sampler, 1)[:3]


def test_a_space_of_constants_has_its_one_point() -> None:
    assert SobolSampler(Space.model_validate({"a": 1})).draw(1, np.random.default_rng(0)) == {"a": 1}
