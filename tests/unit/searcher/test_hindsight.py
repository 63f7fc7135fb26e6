"""A recorded search looked at again."""

from dataclasses import replace as with_fields
from typing import Any

import pytest

from etude.events import ExitReason, ExperimentPauseRequested, TrialClosed, TrialExited
from etude_searcher.hindsight import Alternative, Curve, replay, told, what_if
from etude_searcher.search import Decision, Search
from tests.unit.make import config, created, raw_config, validation

HALVING = {"name": "async_halving", "num_rungs": 2, "max_length": 40, "max_trials": 8, "max_concurrent_trials": 4}


def recorded(**searcher: Any) -> list[Decision]:
    search = Search(created(raw_config({**HALVING, **searcher})))
    causes = [
        *(validation(trial, 10, loss=trial / 10) for trial in (1, 2, 3, 4)),
        ExperimentPauseRequested(),
        TrialExited(trial_id=5, reason=ExitReason.RESTARTS_USED_UP),
        validation(1, 40, loss=0.05),
    ]
    made = [search.begin("0"), *(search.decide(cause, str(n)) for n, cause in enumerate(causes, 1))]
    return [decision for decision in made if decision is not None]


def test_a_log_replays_without_a_difference() -> None:
    assert replay(recorded()) is None


def test_a_decision_that_is_made_differently_now_is_found() -> None:
    log = recorded()
    wrong = tuple(event for event in log[3].events if not isinstance(event, TrialClosed))[:1]
    difference = replay([*log[:3], with_fields(log[3], events=wrong), *log[4:]])
    assert difference is not None
    assert difference.seq == 3
    assert difference.recorded == wrong
    assert difference.replayed == log[3].events


def test_a_rejected_experiment_replays() -> None:
    search = Search(created({"entrypoint": "x"}))
    assert replay([search.begin()]) is None


def test_decisions_are_told_in_a_line() -> None:
    lines = [told(decision, "loss") for decision in recorded()]
    assert lines[0].startswith("experiment created → experiment activated, trial 1 begins, until 10 batches")
    assert lines[1] == "trial 1 has loss = 0.1 at 10 batches → trial 1 rests, trial 5 begins, until 10 batches"
    assert lines[4].endswith("→ trial 4 rests, trial 1 goes on, until 40 batches")
    assert lines[5] == "experiment pause requested → experiment paused"
    assert lines[6].startswith("trial 5: trial exited → trial 5 is errored")


def test_a_promotion_says_its_rank_and_cut_off() -> None:
    log = recorded()
    assert log[1].reasons == ("trial 1 rests: rank 1 of 1 at 10, and the best 0 go on (1 / 4)",)
    assert log[4].reasons[0] == "trial 4 rests: rank 4 of 4 at 10, and the best 1 go on (4 / 4)"
    assert log[4].reasons[1].startswith("trial 1 is promoted, as the rung has grown: rank 1 of 4")


@pytest.mark.parametrize(
    ("searcher", "reason"),
    [
        ({"stop_once": True}, "trial 2 is stopped: rank 2 of 2 at 10, and the best 1 go on"),
        ({"name": "sync_halving"}, "is stopped: rank 3 is not enough with 3 of 8 results at 10, of which 2 go on"),
    ],
)
def test_a_stop_says_its_rank_and_cut_off(searcher: dict[str, Any], reason: str) -> None:
    search = Search(created(raw_config({**HALVING, **searcher})))
    search.begin()
    reasons: list[str] = []
    for trial in (1, 2, 3):
        decision = search.decide(validation(trial, 10, loss=trial / 10))
        assert decision is not None
        reasons += decision.reasons
    assert any(reason in told for told in reasons)


CURVES = [Curve({"rate": n / 10}, {10: 1.0 / n, 40: 0.5 / n}) for n in range(1, 7)]


def other(**searcher: Any) -> Alternative:
    return what_if(config({"name": "random", "max_length": 40, **searcher}), CURVES, workers=2)


def test_another_method_decides_on_the_same_curves() -> None:
    found = other(max_trials=6)
    assert (found.trials, found.results, found.guessed, found.missing) == (6, 6, 0, 0)
    assert (found.best_trial, found.best, found.total_length) == (6, pytest.approx(0.5 / 6), 240)


def test_lengths_that_were_not_recorded_are_told() -> None:
    found = other(max_trials=6, max_length=30)
    assert found.guessed == 6
    assert found.best == pytest.approx(1 / 6)  # at 10, the longest that was recorded below 30


def test_it_stops_where_the_records_end() -> None:
    found = other(max_trials=50)
    assert found.missing == 1
    assert found.results <= 6
