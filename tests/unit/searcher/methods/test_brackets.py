"""Adaptive searches: how trials, budgets and concurrency are shared among brackets."""

import itertools
from typing import Any

import pytest

from etude.config import ExperimentConfig
from etude_searcher.methods import Continue, Create, SearchMethod
from etude_searcher.methods.brackets import (
    Brackets,
    bracket_rungs,
    rungs_that_fit,
    shared_by_weight,
    shared_evenly,
)
from etude_searcher.plugins import METHODS, plugin
from tests.unit.make import config


def method(name: str, **fields: Any) -> SearchMethod:
    made: ExperimentConfig = config({"name": name, "max_length": 800, **fields})
    numbers = itertools.count(1)
    built: SearchMethod = plugin(METHODS, name)(made.searcher, lambda: next(numbers), None)
    return built


def brackets(made: SearchMethod) -> list[SearchMethod]:
    assert isinstance(made, Brackets)
    return made.brackets


@pytest.mark.parametrize(
    ("trials", "divisor", "rungs", "shares"), [(20, 3, [3, 2, 1], [12, 5, 3]), (100, 4, [4, 3, 2], [70, 22, 8])]
)
def test_trials_are_shared_in_proportion(trials: int, divisor: int, rungs: list[int], shares: list[int]) -> None:
    assert shared_by_weight(trials, [divisor ** (r - 1) / r for r in rungs]) == shares
    made = method("adaptive_asha", max_trials=trials, divisor=divisor, bracket_rungs=rungs, max_length=9000)
    assert [b._max_trials for b in brackets(made)] == shares  # type: ignore[attr-defined]


def test_an_amount_is_shared_evenly_the_remainder_from_the_first() -> None:
    assert shared_evenly(11, 3) == [4, 4, 3]
    assert shared_evenly(2, 3) == [1, 1, 0]


@pytest.mark.parametrize(
    ("length", "divisor", "rungs"), [(64, 4, 4), (63, 4, 3), (1, 4, 1), (1000, 10, 4), (243, 3, 6)]
)
def test_as_many_rungs_as_a_length_holds(length: int, divisor: float, rungs: int) -> None:
    assert rungs_that_fit(length, divisor) == rungs


def test_brackets_by_mode_most_rungs_first() -> None:
    assert bracket_rungs(4, "conservative") == [4, 3, 2, 1]
    assert bracket_rungs(4, "standard") == [4, 3, 2]
    assert bracket_rungs(5, "standard") == [5, 4, 3]
    assert bracket_rungs(4, "aggressive") == [4]
    assert bracket_rungs(1, "standard") == [1]


@pytest.mark.parametrize("name", ["adaptive_asha", "adaptive_simple"])
def test_there_are_no_more_rungs_than_trials_and_length_hold(name: str) -> None:
    rungs = [len(b._rungs) for b in brackets(method(name, max_trials=16, mode="conservative"))]  # type: ignore[attr-defined]
    assert rungs == [3, 2, 1]
    rungs = [len(b._rungs) for b in brackets(method(name, max_trials=5000, max_length=20))]  # type: ignore[attr-defined]
    assert rungs == [3, 2]


def test_adaptive_simple_shares_trials_evenly() -> None:
    made = method("adaptive_simple", max_trials=32, max_length=102_400, mode="standard")
    populations = [b._populations for b in brackets(made)]  # type: ignore[attr-defined]
    assert populations == [[16, 4, 1], [16, 4]]


def test_adaptive_scales_populations_to_its_budget() -> None:
    made = method("adaptive", budget=480, mode="aggressive", max_rungs=4)
    [bracket] = brackets(made)
    assert bracket._populations == [11, 2, 1, 1]  # type: ignore[attr-defined]
    assert [rung.target for rung in bracket._rungs] == [12, 50, 200, 800]  # type: ignore[attr-defined]


def test_hyperband_has_every_bracket() -> None:
    made = method("hyperband", max_length=81, divisor=3, max_concurrent_trials=0)
    populations = [b._populations for b in brackets(made)]  # type: ignore[attr-defined]
    assert [p[0] for p in populations] == [81, 34, 15, 8, 5]  # Table 1 of the paper
    assert populations[0] == [81, 27, 9, 3, 1]
    targets = [[rung.target for rung in b._rungs] for b in brackets(made)]  # type: ignore[attr-defined]
    assert targets[0] == [1, 3, 9, 27, 81]
    assert targets[-1] == [81]


def test_concurrency_is_shared_as_trials_are() -> None:
    made = method("adaptive_asha", max_trials=100, bracket_rungs=[4, 3, 2], max_concurrent_trials=16)
    started = [op for op in made.start() if isinstance(op, Create)]
    assert len(started) == 16
    assert [sum(made.bracket_of(op.trial_id) == n for op in started) for n in range(3)] == [12, 3, 1]  # type: ignore[attr-defined]


def test_without_a_limit_each_bracket_starts_with_what_the_last_one_has() -> None:
    made = method("adaptive_asha", max_trials=100, bracket_rungs=[4, 3, 2], max_concurrent_trials=0)
    assert len(made.start()) == 3 * 8


def test_a_result_goes_to_the_bracket_that_asked() -> None:
    made = method("adaptive_asha", max_trials=40, bracket_rungs=[2, 1], max_concurrent_trials=2)
    first, second = made.start()
    assert isinstance(first, Create)
    assert isinstance(second, Create)
    assert (first.length, second.length) == (200, 800)
    made.validation_completed(second.trial_id, 800, 0.5)
    assert len(brackets(made)[0]._rungs[0]) == 0  # type: ignore[attr-defined]
    assert len(brackets(made)[1]._rungs[0]) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("adaptive_asha", {"max_trials": 16, "mode": "conservative"}),
        ("adaptive_simple", {"max_trials": 16, "mode": "conservative"}),
        ("adaptive", {"budget": 20_000, "mode": "conservative"}),
        ("hyperband", {}),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_brackets_share_one_limit(name: str, fields: dict[str, Any], limit: int) -> None:
    made = method(name, max_concurrent_trials=limit, **fields)
    training = {op.trial_id: op for op in made.start() if isinstance(op, Create)}
    reports = 0
    while training:
        assert len(training) <= limit
        trial, job = training.popitem()
        reports += 1
        for op in made.validation_completed(trial, job.length, float(trial % 7)):
            if isinstance(op, Create | Continue):
                training[op.trial_id] = op
            else:
                training.pop(op.trial_id, None)
    assert reports > 16
    assert made.progress() == pytest.approx(1.0)
