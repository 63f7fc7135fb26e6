"""One experiment's life as a sequence of decisions."""

import json

import pytest

from etude.events import (
    Event,
    EventError,
    ExitReason,
    ExperimentActivated,
    ExperimentActivateRequested,
    ExperimentCanceled,
    ExperimentCancelRequested,
    ExperimentCompleted,
    ExperimentFailed,
    ExperimentKillRequested,
    ExperimentPaused,
    ExperimentPauseRequested,
    ExperimentProgressed,
    ExperimentRejected,
    TrialClosed,
    TrialContinued,
    TrialExited,
    TrialRequested,
)
from etude_searcher.search import Decision, Search, State
from tests.unit.make import created, raw_config, validation


def begun(**searcher: object) -> tuple[Search, Decision]:
    search = Search(created(raw_config(searcher)))
    return search, search.begin()


def decide(search: Search, event: Event) -> Decision:
    decision = search.decide(event)
    assert decision is not None
    return decision


def kinds(decision: Decision) -> list[type[Event]]:
    return [type(event) for event in decision.events]


def test_decision_zero_activates_and_requests_the_first_trials() -> None:
    _, decision = begun(max_concurrent_trials=2)
    assert decision.seq == 0
    assert kinds(decision) == [ExperimentActivated, TrialRequested, TrialRequested, ExperimentProgressed]


def test_a_bad_configuration_is_rejected_with_every_mistake() -> None:
    raw = raw_config({"max_trials": 0})
    raw["max_restart"] = 1
    search = Search(created(raw))
    decision = search.begin()
    [rejected] = decision.events
    assert isinstance(rejected, ExperimentRejected)
    assert sorted(error.path for error in rejected.errors) == ["max_restart", "searcher.max_trials"]
    assert search.state is State.REJECTED
    assert search.decide(validation(1, 400)) is None


def test_an_unknown_sampler_rejects_the_experiment() -> None:
    search = Search(created(raw_config({"sampler": {"name": "magic"}})))
    [rejected] = search.begin().events
    assert isinstance(rejected, ExperimentRejected)
    assert "magic" in rejected.errors[0].message


def test_sequence_numbers_rise_by_one_and_end_with_completed() -> None:
    search, _ = begun()
    decisions = [decide(search, validation(trial, 400, loss=trial)) for trial in (1, 2, 3, 4)]
    assert [decision.seq for decision in decisions] == [1, 2, 3, 4]
    completed = decisions[-1].events[-1]
    assert isinstance(completed, ExperimentCompleted)
    assert (completed.trials, completed.best.trial_id, completed.revision) == (4, 1, 4)
    assert search.state is State.COMPLETED


def test_a_result_that_was_decided_is_not_decided_again() -> None:
    search, _ = begun()
    decide(search, validation(1, 400))
    assert search.decided(validation(1, 400)) == 1
    assert search.decide(validation(1, 400)) is None
    assert search.seq == 2


def test_a_result_between_targets_calls_for_no_decision() -> None:
    search, _ = begun()
    assert search.decide(validation(1, 100)) is None
    assert search.decided(validation(1, 100)) is None


def test_a_trial_that_never_was_is_an_error() -> None:
    search, _ = begun()
    with pytest.raises(EventError, match="trial 9 was never requested in this experiment; it has 4 trials"):
        search.decide(validation(9, 400))


def test_a_search_whose_trials_all_fail_fails() -> None:
    search, _ = begun(max_trials=2)
    for trial in (1, 2):
        last = decide(search, TrialExited(trial_id=trial, reason=ExitReason.RESTARTS_USED_UP))
    failed = last.events[-1]
    assert isinstance(failed, ExperimentFailed)
    assert "no trial of 2 gave a usable result" in failed.reason
    assert search.state is State.FAILED


def test_a_trial_exits_once() -> None:
    search, _ = begun()
    exited = TrialExited(trial_id=1, reason=ExitReason.RESTARTS_USED_UP)
    decide(search, exited)
    assert search.decide(exited) is None
    assert search.decided(exited) == 1


def test_pause_and_activate_take_turns() -> None:
    search, _ = begun()
    assert search.decide(ExperimentActivateRequested()) is None
    assert kinds(decide(search, ExperimentPauseRequested()))[0] is ExperimentPaused
    assert search.decide(ExperimentPauseRequested()) is None
    assert kinds(decide(search, ExperimentActivateRequested()))[0] is ExperimentActivated


def test_a_request_that_comes_twice_is_decided_once() -> None:
    search, _ = begun()
    decide_by = [("p", ExperimentPauseRequested()), ("a", ExperimentActivateRequested())]
    for cause_id, request in decide_by:
        assert search.decide(request, cause_id) is not None
    assert search.decided(ExperimentPauseRequested(), "p") == 1
    assert search.decided(ExperimentActivateRequested(), "a") == 2
    assert search.decided(ExperimentPauseRequested(), "another") is None
    again = Search.restore(json.loads(json.dumps(search.snapshot())))
    assert again.decided(ExperimentPauseRequested(), "p") == 1


def test_a_paused_experiment_still_decides_on_results_that_arrive() -> None:
    search, _ = begun()
    decide(search, ExperimentPauseRequested())
    assert isinstance(decide(search, validation(1, 400)).events[0], TrialClosed)


@pytest.mark.parametrize(("request_", "killed"), [(ExperimentCancelRequested, False), (ExperimentKillRequested, True)])
def test_cancel_and_kill_close_what_is_open(request_: type[Event], killed: bool) -> None:
    search, _ = begun()
    decide(search, validation(1, 400, loss=0.5))
    decision = decide(search, request_(requested_by="ada"))  # type: ignore[call-arg]
    *closed, canceled = decision.events
    assert [event.trial_id for event in closed if isinstance(event, TrialClosed)] == [2, 3, 4]
    assert isinstance(canceled, ExperimentCanceled)
    assert (canceled.killed, canceled.requested_by) == (killed, "ada")
    assert canceled.best is not None
    assert search.state is State.CANCELED


def test_replaying_the_log_gives_the_same_search() -> None:
    search, zero = begun(name="async_halving", num_rungs=2, max_trials=6, max_concurrent_trials=3)
    events = (
        validation(1, 100, loss=0.5),
        ExperimentPauseRequested(),
        validation(2, 100, loss=0.1),
        ExperimentActivateRequested(),
        TrialExited(trial_id=3, reason=ExitReason.INVALID_HYPERPARAMETERS),
    )
    decisions = [zero, *(decide(search, event) for event in events)]
    again = Search(search.created)
    again.replay(decisions)
    assert again.snapshot() == search.snapshot()


def test_replay_uses_the_recorded_draws_and_never_samples() -> None:
    search, zero = begun(max_trials=1)
    changed = [
        event.model_copy(update={"hyperparameters": {"rate": 0.5}}) if isinstance(event, TrialRequested) else event
        for event in zero.events
    ]
    again = Search(search.created)
    again.replay([Decision(0, zero.cause, zero.cause_id, tuple(changed))])
    assert again.engine is not None
    assert again.engine.trials[1].hyperparameters == {"rate": 0.5}


def test_a_snapshot_restores_through_json() -> None:
    search, _ = begun()
    decide(search, validation(1, 400, loss=0.5))
    again = Search.restore(json.loads(json.dumps(search.snapshot(), allow_nan=False)))
    assert again.snapshot() == search.snapshot()
    assert again.decided(validation(1, 400)) == 1
    assert decide(again, validation(2, 400, loss=0.1)) == decide(search, validation(2, 400, loss=0.1))


def test_reminders_say_what_should_be() -> None:
    search, _ = begun(max_trials=2)
    assert [type(event) for event in search.reminders()] == [ExperimentActivated, TrialRequested, TrialRequested]
    decide(search, ExperimentPauseRequested())
    assert ExperimentPaused in [type(event) for event in search.reminders()]
    for trial in (1, 2):
        search.decide(validation(trial, 400))
    assert [type(event) for event in search.reminders()] == [ExperimentCompleted]


def test_a_report_past_its_target_is_decided_once() -> None:
    search, _ = begun()
    decide(search, validation(1, 407))
    assert search.decided(validation(1, 407)) == 1
    assert search.decide(validation(1, 407)) is None
    assert search.decide(validation(1, 500)) is None


def test_a_report_past_two_targets_is_decided_twice() -> None:
    search, _ = begun(name="async_halving", num_rungs=2, max_trials=2, max_concurrent_trials=2, stop_once=True)
    assert kinds(decide(search, validation(1, 450)))[0] is TrialContinued
    assert search.decided(validation(1, 450)) is None
    assert kinds(decide(search, validation(1, 450)))[0] is TrialClosed
    assert search.decided(validation(1, 450)) == 2


@pytest.mark.parametrize(
    ("constraint", "said"), [("rate > 2", "none of 10000 draws satisfies"), ("rate < 'a'", "rate < 'a'")]
)
def test_a_constraint_that_nothing_can_satisfy_rejects_the_experiment(constraint: str, said: str) -> None:
    search = Search(created(raw_config(constraints=[constraint])))
    [rejected] = search.begin().events
    assert isinstance(rejected, ExperimentRejected)
    assert said in rejected.errors[0].message
    assert search.state is State.REJECTED


def test_replay_notes_the_first_decision_that_it_would_have_made_otherwise() -> None:
    search, zero = begun(max_trials=3, max_concurrent_trials=1)
    decisions = [zero, decide(search, validation(1, 400)), decide(search, validation(2, 400))]
    same, other = Search(search.created), Search(search.created)
    same.replay(decisions)
    assert same.diverged_at is None
    odd = Decision(1, decisions[1].cause, "", decisions[1].events[:1])  # no trial was requested in the other version
    other.replay([zero, odd, decisions[2]])
    assert other.diverged_at == 1
    assert other.seq == 3
