"""Grid sampling: axes, order, and constants that do not multiply."""

from typing import Any

import numpy as np
import pytest

from etude.config import Space
from etude_searcher.samplers.grid import GridSampler, axis


def sampler(**hyperparameters: Any) -> GridSampler:
    return GridSampler(Space.model_validate(hyperparameters))


def points(grid: GridSampler) -> list[Any]:
    generator = np.random.default_rng(0)
    return [grid.draw(index + 1, generator) for index in range(grid.points or 0)]


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ({"type": "int", "minval": 0, "maxval": 10, "count": 3}, [0, 5, 10]),
        ({"type": "int", "minval": 0, "maxval": 3, "count": 3}, [0, 2, 3]),
        ({"type": "int", "minval": 1, "maxval": 4, "count": 10}, [1, 2, 3, 4]),  # capped by how many there are
        ({"type": "int", "minval": 1, "maxval": 4, "count": 1}, [3]),  # the rounded middle
        ({"type": "double", "minval": 0, "maxval": 1, "count": 3}, [0.0, 0.5, 1.0]),
        ({"type": "double", "minval": 0, "maxval": 1, "count": 1}, [0.5]),
        ({"type": "log", "minval": -3, "maxval": -1, "count": 3}, [1e-3, 1e-2, 1e-1]),
        ({"type": "log", "base": 2, "minval": 1, "maxval": 3, "count": 3}, [2, 4, 8]),
        ({"type": "categorical", "vals": ["b", None, {"x": 1}]}, ["b", None, {"x": 1}]),
        ({"type": "const", "val": [1, 2]}, [[1, 2]]),
        ("adam", ["adam"]),
    ],
)
def test_an_axis_is_evenly_spaced(parameter: Any, expected: list[Any]) -> None:
    [(_, parsed)] = Space.model_validate({"p": parameter}).parameters()
    values = axis(parsed)
    if isinstance(expected[0], float | int):
        assert values == pytest.approx(expected)
    else:
        assert values == expected


def test_names_are_sorted_and_the_last_axis_varies_fastest() -> None:
    grid = sampler(
        b={"type": "categorical", "vals": [1, 2]}, a={"type": "categorical", "vals": ["x", "y"]}, c="constant"
    )
    assert points(grid) == [
        {"a": "x", "b": 1, "c": "constant"},
        {"a": "x", "b": 2, "c": "constant"},
        {"a": "y", "b": 1, "c": "constant"},
        {"a": "y", "b": 2, "c": "constant"},
    ]


def test_nested_members_multiply_under_their_key() -> None:
    grid = sampler(net={"width": {"type": "categorical", "vals": [8, 16]}, "act": "relu"}, lr=0.1)
    assert points(grid) == [
        {"lr": 0.1, "net": {"act": "relu", "width": 8}},
        {"lr": 0.1, "net": {"act": "relu", "width": 16}},
    ]


def test_a_space_of_constants_has_one_point() -> None:
    assert points(sampler(a=1, b="x")) == [{"a": 1, "b": "x"}]
    assert points(sampler()) == [{}]


def test_points_are_numbers_as_people_write_them() -> None:
    tenths = [0.1, 0.2, 0.3, 0.4, 0.5]
    for fields in ({"count": 5}, {"step": 0.1}, {"step": 0.1, "count": 5}):
        [(_, parsed)] = Space.model_validate(
            {"p": {"type": "double", "minval": 0.1, "maxval": 0.5, **fields}}
        ).parameters()
        assert axis(parsed) == tenths
