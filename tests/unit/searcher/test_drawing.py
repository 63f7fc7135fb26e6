"""Drawing: constraints, conditions, priors, repeats, and the exploration of clones."""

from typing import Any

import pytest

from etude.config import Explore
from etude_searcher.drawing import Drawing, NoDrawError
from tests.unit.make import config

WIDTHS = {"hidden": {"type": "int", "minval": 1, "maxval": 64}, "embed": {"type": "int", "minval": 1, "maxval": 16}}


def drawing(
    hyperparameters: dict[str, Any], seed: int = 1, searcher: dict[str, Any] | None = None, **fields: Any
) -> Drawing:
    return Drawing(config(searcher, hyperparameters, **fields), seed)


def test_every_draw_satisfies_the_constraints() -> None:
    made = drawing(WIDTHS, constraints=["hidden <= 4 * embed", "hidden != 7"])
    for trial in range(1, 100):
        values: Any = made.first(trial)
        assert values["hidden"] <= 4 * values["embed"]
        assert values["hidden"] != 7


def test_constraints_that_leave_nothing_say_so() -> None:
    with pytest.raises(NoDrawError, match="none of 10000 draws satisfies constraints: hidden > 64"):
        drawing(WIDTHS, constraints=["hidden > 64"]).first(1)


def test_a_parameter_exists_only_where_its_condition_holds() -> None:
    made = drawing(
        {
            "optimizer": {"type": "categorical", "vals": ["sgd", "adam"]},
            "momentum": {"type": "double", "minval": 0, "maxval": 1, "condition": "optimizer == 'sgd'"},
            "nesterov": {"type": "categorical", "vals": [True, False], "condition": "momentum > 0.5"},
        }
    )
    seen = [made.first(trial) for trial in range(1, 60)]
    for values in seen:
        assert ("momentum" in values) == (values["optimizer"] == "sgd")
        assert ("nesterov" in values) == (values.get("momentum", 0) > 0.5)
    assert {len(values) for values in seen} == {1, 2, 3}


def test_the_first_trial_tries_what_is_believed_to_be_good() -> None:
    made = drawing(
        {
            "lr": {"type": "log", "minval": -4, "maxval": 0, "prior": 0.01},
            "net": {"width": {"type": "int", "minval": 1, "maxval": 9, "default": 5}},
            "drop": {"type": "double", "minval": 0, "maxval": 1},
        }
    )
    first: Any = made.first(1)
    assert (first["lr"], first["net"]) == (0.01, {"width": 5})
    assert made.first(2)["lr"] != 0.01


def test_equal_draws_are_allowed_where_repeats_are_asked_for() -> None:
    space = {"c": {"type": "categorical", "vals": [1, 2]}}
    distinct = drawing(space)
    assert distinct.first(1) != distinct.first(2)
    repeating = drawing(space, searcher={"repeats": True})
    assert len({str(repeating.first(trial)) for trial in range(1, 20)}) == 2


def test_a_grid_leaves_out_what_does_not_fit_and_counts_equal_points_once() -> None:
    space = {
        "a": {"type": "categorical", "vals": [1, 2, 3]},
        "b": {"type": "categorical", "vals": [1, 2], "condition": "a == 1"},
    }
    made = drawing(space, searcher={"name": "grid"}, constraints=["a != 3"])
    assert made.sampler.points == 3
    assert [made.first(n) for n in (1, 2, 3)] == [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2}]


def test_a_grid_of_which_nothing_is_left_is_refused() -> None:
    space = {"a": {"type": "categorical", "vals": [1, 2]}}
    with pytest.raises(ValueError, match="the constraints leave no point of the grid"):
        drawing(space, searcher={"name": "grid"}, constraints=["a > 5"])


EXPLORED = {
    "n": {"type": "int", "minval": 0, "maxval": 100},
    "x": {"type": "double", "minval": 0, "maxval": 1},
    "lr": {"type": "log", "minval": -4, "maxval": 0},
    "c": {"type": "categorical", "vals": ["a", "b"]},
    "k": 3,
}
SOURCE: dict[str, Any] = {"n": 11, "x": 0.5, "lr": 0.01, "c": "a", "k": 3}


def test_a_clone_is_a_step_away_from_its_source() -> None:
    made = drawing(EXPLORED)
    explore = Explore(resample_probability=0, perturb_factor=0.2)
    clones: list[Any] = [made.explored(trial, SOURCE, explore) for trial in range(1, 50)]
    assert {clone["n"] for clone in clones} == {8, 14}  # 8.8 floored, 13.2 ceiled
    assert {round(clone["x"], 6) for clone in clones} == {0.4, 0.6}
    assert {round(clone["lr"], 6) for clone in clones} == {0.008, 0.012}
    assert {(clone["c"], clone["k"]) for clone in clones} == {("a", 3)}
    assert len({tuple(clone.values()) for clone in clones}) == 8


def test_a_step_never_leaves_the_range() -> None:
    made = drawing(EXPLORED)
    explore = Explore(resample_probability=0, perturb_factor=0.9)
    for trial in range(1, 30):
        clone: Any = made.explored(trial, {**SOURCE, "n": 99, "x": 0.9, "lr": 0.9}, explore)
        assert 0 <= clone["n"] <= 100
        assert 0 <= clone["x"] <= 1
        assert 1e-4 <= clone["lr"] <= 1


def test_a_clone_may_be_drawn_anew() -> None:
    made = drawing(EXPLORED)
    clones: list[Any] = [
        made.explored(n, SOURCE, Explore(resample_probability=1, perturb_factor=0)) for n in range(1, 50)
    ]
    assert len({clone["x"] for clone in clones}) == 49
    assert {clone["c"] for clone in clones} == {"a", "b"}


def test_a_prior_survives_a_draw_of_the_others_that_breaks_a_constraint() -> None:
    space = {**WIDTHS, "hidden": {**WIDTHS["hidden"], "prior": 40}}
    for seed in range(20):
        values: Any = drawing(space, seed, constraints=["hidden <= 4 * embed"]).first(1)
        assert values["hidden"] == 40
        assert values["embed"] >= 10


def test_every_point_of_a_small_space_is_drawn_once_before_any_is_drawn_again() -> None:
    space = {"a": {"type": "int", "minval": 1, "maxval": 20}, "b": {"type": "categorical", "vals": list(range(10))}}
    made = drawing(space, searcher={"max_trials": 200})
    drawn: list[Any] = [made.first(trial) for trial in range(1, 201)]
    assert len({(values["a"], values["b"]) for values in drawn}) == 200
