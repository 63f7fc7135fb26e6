"""Rungs: their targets, and the order of results within one."""

import json

import pytest

from etude_searcher.methods.rung import WORST, Rung, targets


@pytest.mark.parametrize(
    ("max_length", "rungs", "divisor", "expected"),
    [
        (9000, 3, 3, [1000, 3000, 9000]),
        (800, 4, 4, [12, 50, 200, 800]),
        (10, 1, 4, [10]),
        (3, 3, 4, [1, 2, 3]),  # never less than one, and always one more than below
        (2, 3, 4, [1, 2, 3]),
        (100, 3, 2.5, [16, 40, 100]),
    ],
)
def test_targets_are_totals_that_rise(max_length: int, rungs: int, divisor: float, expected: list[int]) -> None:
    assert targets(max_length, rungs, divisor) == expected


def test_results_rank_by_metric_and_then_by_time() -> None:
    rung = Rung(10)
    assert [rung.enter(trial, metric) for trial, metric in [(1, 0.5), (2, 0.3), (3, 0.5), (4, 0.1)]] == [0, 0, 2, 0]
    assert [rung.at(rank) for rank in range(4)] == [4, 2, 1, 3]


def test_a_failure_ranks_below_every_result() -> None:
    rung = Rung(10)
    rung.enter(1, WORST)
    assert rung.enter(2, 1e300) == 0


def test_forgetting_a_trial_leaves_the_others() -> None:
    rung = Rung(10)
    for trial in (1, 2, 3):
        rung.enter(trial, trial)
    rung.promoted.add(1)
    rung.forget(1)
    assert (len(rung), rung.unpromoted()) == (2, [2, 3])


def test_a_snapshot_restores_through_json() -> None:
    rung = Rung(10)
    rung.enter(1, 0.5)
    rung.enter(2, WORST)
    rung.promoted.add(1)
    rung.outstanding.add(3)
    copy = Rung(10)
    copy.restore(json.loads(json.dumps(rung.snapshot(), allow_nan=False)))
    assert copy.snapshot() == rung.snapshot()
    assert copy.enter(4, WORST) == rung.enter(4, WORST)
