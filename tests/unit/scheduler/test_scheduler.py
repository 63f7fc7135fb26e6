"""One pool's scheduling: grants, leases, lost runners, restarts."""

import pytest

from etude.events import (
    AllocationExtended,
    AllocationGranted,
    AllocationReleased,
    AllocationRevoked,
    CheckpointSaved,
    CloseReason,
    EndReason,
    Event,
    ExitReason,
    ExperimentCanceled,
    ExperimentCompleted,
    ExperimentPaused,
    ExperimentResyncRequested,
    Length,
    RunnerChangeRequested,
    RunnerDraining,
    RunnerLeft,
    TrialClosed,
    TrialExited,
    TrialPaused,
    TrialRequested,
)
from etude_scheduler.execution import Execution
from etude_scheduler.scheduler import Scheduler
from etude_scheduler.share import Share
from tests.unit.make import raw_config
from tests.unit.scheduler.pool import (
    Pool,
    closed,
    continued,
    ended,
    grants,
    heartbeat,
    joined,
    requested,
    result,
)


def saved(trial_id: int, length: int, lease_number: int = 1) -> CheckpointSaved:
    return CheckpointSaved(
        trial_id=trial_id,
        lease_number=lease_number,
        uri=f"file:///c/{trial_id}/{lease_number}-{length}",
        length=Length.batches(length),
        files=[],
    )


def test_a_trial_waits_for_a_slot_and_gets_the_first_lease() -> None:
    pool = Pool()
    assert pool.start(1, 2) == []
    assert grants(pool.hear(joined())) == [(1, "a", 1)]


def test_a_grant_holds_all_that_a_runner_needs() -> None:
    pool = Pool()
    pool.start(1)
    [grant] = pool.hear(joined())
    assert isinstance(grant, AllocationGranted)
    assert grant.hyperparameters == {"n": 1}
    assert grant.trial_seed == 1
    assert grant.slots == ["0"]
    assert grant.train_until == Length.batches(100)
    assert grant.config == pool.activated.config
    assert grant.model_definition == pool.activated.model_definition
    assert grant.checkpoint is None


def test_nothing_is_placed_before_the_experiment_is_known() -> None:
    pool = Pool()
    assert pool.hear(joined(), requested(1)) == []
    assert grants(pool.hear(pool.activated)) == [(1, "a", 1)]


def test_a_trial_keeps_its_slot_while_it_waits_for_the_decision() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1, 2)
    assert pool.hear(result(1)) == []
    [extended] = pool.hear(continued(1, 300))
    assert isinstance(extended, AllocationExtended)
    assert (extended.train_until.amount, extended.lease_number) == (300, 1)


def test_a_trial_that_waited_for_its_end_is_released_and_its_slot_goes_to_the_next_at_once() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1, 2)
    [released, granted] = pool.hear(result(1), closed(1))
    assert isinstance(released, AllocationReleased)
    assert grants([granted]) == [(2, "a", 1)]
    assert pool.hear(ended(1, EndReason.RELEASED)) == []


def test_a_trial_that_is_closed_while_it_trains_holds_its_slot_until_its_process_is_gone() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1, 2)
    [released] = pool.hear(closed(1, CloseReason.CANCELED))
    assert isinstance(released, AllocationReleased)
    assert grants(pool.hear(ended(1, EndReason.RELEASED))) == [(2, "a", 1)]


def test_a_release_that_a_runner_did_not_hear_of_is_told_again_whoever_has_its_slot_by_now() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1, 2)
    pool.hear(result(1), TrialPaused(trial_id=1, length=Length.batches(100)))
    beat = heartbeat((1, 1, 100), (2, 1, 100))
    [again] = pool.hear(beat)
    assert isinstance(again, AllocationReleased)
    assert again.trial_id == 1
    ending = beat.model_copy(update={"running": [r.model_copy(update={"stopping": True}) for r in beat.running[:1]]})
    assert pool.hear(ending) == []


def test_a_promotion_right_after_the_pause_is_a_new_lease() -> None:
    pool = Pool()
    pool.hear(joined(slots=2))
    pool.start(1)
    pool.hear(saved(1, 100), result(1), TrialPaused(trial_id=1, length=Length.batches(100)))
    assert grants(pool.hear(continued(1, 300))) == [(1, "a", 2)]
    assert pool.hear(ended(1, EndReason.RELEASED, lease_number=1)) == []


def test_a_paused_trial_resumes_from_its_checkpoint_when_it_is_promoted() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1)
    pool.hear(saved(1, 100), result(1), TrialPaused(trial_id=1, length=Length.batches(100)))
    pool.hear(ended(1, EndReason.RELEASED))
    [grant] = pool.hear(continued(1, 300))
    assert isinstance(grant, AllocationGranted)
    assert (grant.lease_number, grant.train_until.amount) == (2, 300)
    assert grant.checkpoint is not None
    assert grant.checkpoint.uri == "file:///c/1/1-100"


def test_a_pause_that_comes_after_the_promotion_is_ignored() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1)
    pool.hear(result(1), continued(1, 300))
    assert pool.hear(TrialPaused(trial_id=1, length=Length.batches(100))) == []


def test_events_that_come_twice_change_nothing() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1)
    pool.hear(result(1), continued(1, 300))
    assert pool.hear(pool.activated, requested(1), continued(1, 300), result(1)) == []
    pool.hear(closed(1), ended(1, EndReason.RELEASED))
    assert pool.hear(ended(1, EndReason.RELEASED)) == []


def test_what_an_older_lease_says_is_ignored() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1)
    pool.hear(ended(1, EndReason.PREEMPTED))
    assert pool.execution(1).lease_number == 2
    assert pool.hear(ended(1, EndReason.FAILED), saved(1, 50)) == []
    assert pool.execution(1).restarts == 0
    assert pool.execution(1).checkpoint is None


def test_a_failed_trial_restarts_from_its_latest_checkpoint() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1)
    [grant] = pool.hear(saved(1, 50), ended(1, EndReason.FAILED))
    assert isinstance(grant, AllocationGranted)
    assert (grant.lease_number, grant.restarts) == (2, 1)
    assert grant.checkpoint is not None
    assert grant.checkpoint.length == 50


def test_a_trial_that_used_up_its_restarts_exits_with_reason_and_log() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1)
    pool.hear(ended(1, EndReason.FAILED, 1))
    pool.hear(ended(1, EndReason.FAILED, 2))
    [exited] = pool.hear(ended(1, EndReason.FAILED, 3, detail="ValueError: no"))
    assert exited == TrialExited(
        trial_id=1, reason=ExitReason.RESTARTS_USED_UP, restarts=2, detail="ValueError: no", log_tail=["oh"]
    )
    assert pool.hear(heartbeat()) == []


def test_invalid_hyperparameters_exit_at_once() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1)
    [exited] = pool.hear(ended(1, EndReason.INVALID_HYPERPARAMETERS, detail="too wide"))
    assert isinstance(exited, TrialExited)
    assert exited.reason is ExitReason.INVALID_HYPERPARAMETERS


def test_a_lost_runner_costs_no_restart() -> None:
    pool = Pool()
    pool.hear(joined("a"), joined("b", slots=0))
    pool.start(1)
    pool.hear(saved(1, 50))
    pool.at(29).hear(heartbeat(runner_id="b", slots=0))
    assert grants(pool.at(31).hear(heartbeat(runner_id="b", slots=1))) == [(1, "b", 2)]
    assert pool.execution(1).restarts == 0
    assert pool.execution(1).checkpoint == {"uri": "file:///c/1/1-50", "length": 50}


def test_a_runner_that_comes_back_is_told_to_kill_what_it_lost() -> None:
    pool = Pool()
    pool.hear(joined("a"), joined("b"))
    pool.start(1)
    pool.at(40).hear(heartbeat(runner_id="b"))
    told = pool.hear(heartbeat((1, 1, 100)))
    assert [(e.lease_number, e.kill) for e in told if isinstance(e, AllocationRevoked)] == [(1, True)]


def test_a_new_session_of_a_runner_has_lost_what_it_ran() -> None:
    pool = Pool()
    pool.hear(joined("a", session="1"))
    pool.start(1)
    assert grants(pool.hear(joined("a", session="2"))) == [(1, "a", 2)]


def test_an_older_session_of_a_runner_has_no_say() -> None:
    pool = Pool()
    pool.hear(joined("a", session="2"))
    pool.start(1)
    assert pool.hear(joined("a", session="1"), RunnerLeft(runner_id="a", session="1")) == []
    assert pool.execution(1).allocation is not None


def test_a_draining_runner_takes_nothing_new() -> None:
    pool = Pool()
    pool.hear(joined("a"), RunnerDraining(runner_id="a", session="1"))
    assert pool.start(1) == []
    assert pool.hear(heartbeat(draining=True)) == []
    assert grants(pool.hear(heartbeat())) == [(1, "a", 1)]


def test_a_runner_that_left_gives_its_trials_back() -> None:
    pool = Pool()
    pool.hear(joined("a"))
    pool.start(1)
    pool.hear(RunnerLeft(runner_id="a", session="1"))
    assert grants(pool.hear(joined("b"))) == [(1, "b", 2)]


def test_a_grant_that_a_runner_does_not_list_is_told_again() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1)
    assert pool.at(5).hear(heartbeat()) == []
    assert grants(pool.at(11).hear(heartbeat())) == [(1, "a", 1)]


def test_a_target_that_a_runner_does_not_list_is_told_again() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1)
    pool.hear(result(1), continued(1, 300))
    [extended] = pool.hear(heartbeat((1, 1, 100)))
    assert isinstance(extended, AllocationExtended)
    assert pool.hear(heartbeat((1, 1, 300))) == []


def test_a_pause_that_a_runner_did_not_hear_of_is_told_again() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1)
    pool.hear(ExperimentPaused(revision=1))
    [order] = pool.hear(heartbeat((1, 1, 100)))
    assert isinstance(order, AllocationRevoked)


def test_pausing_takes_the_slots_back_and_activating_goes_on() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1)
    [revoked] = pool.hear(ExperimentPaused(revision=1))
    assert isinstance(revoked, AllocationRevoked)
    assert not revoked.kill
    assert pool.hear(saved(1, 40), ended(1, EndReason.PREEMPTED)) == []
    again = pool.activated.model_copy(update={"revision": 2})
    [grant] = pool.hear(again)
    assert isinstance(grant, AllocationGranted)
    assert grant.checkpoint is not None
    assert grant.checkpoint.length == 40


def test_of_two_states_the_later_revision_holds() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.hear(ExperimentPaused(revision=5))
    assert pool.start(1) == []  # activated at revision 0: that was before


@pytest.mark.parametrize(("reason", "kill"), [(CloseReason.KILLED, True), (CloseReason.CANCELED, False)])
def test_killed_trials_are_killed_and_canceled_ones_may_save(reason: CloseReason, kill: bool) -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1)
    [order] = pool.hear(closed(1, reason), ExperimentCanceled(revision=9, killed=kill))[:1]
    assert isinstance(order, AllocationRevoked if kill else AllocationReleased)


@pytest.mark.parametrize("kill", [False, True])
def test_the_end_of_an_experiment_ends_trials_whose_closing_was_lost(kill: bool) -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1, 2)
    [order] = pool.hear(ExperimentCanceled(revision=9, killed=kill))
    assert isinstance(order, AllocationRevoked if kill else AllocationReleased)
    pool.hear(ended(1, EndReason.RELEASED))
    assert pool.execution(1).over
    assert pool.execution(2).over


def test_a_stopped_trial_that_is_continued_trains_again_whatever_comes_late() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1)
    stopped = TrialClosed(trial_id=1, reason=CloseReason.STOPPED, length=Length.batches(100))
    execution = pool.execution(1)
    pool.hear(saved(1, 100), result(1), stopped)
    pool.hear(ended(1, EndReason.RELEASED))
    pool.scheduler.adopt([execution])  # the search was extended: it is named again, and so loaded
    [grant] = pool.hear(continued(1, 400))
    assert isinstance(grant, AllocationGranted)
    assert grant.train_until.amount == 400
    assert pool.hear(stopped) == []  # comes twice, and the second time too late
    assert pool.execution(1).closed is None


def test_an_extended_experiment_wants_trials_that_were_closed_with_it() -> None:
    pool = Pool()
    pool.hear(joined(slots=0), pool.activated, requested(1))
    pool.hear(requested(2), ExperimentCompleted.model_validate({**COMPLETED, "revision": 5}))
    executions = [Execution.from_document(e.to_document()) for e in pool.scheduler.executions.values()]
    assert {(e.trial_id, e.closed_with_experiment) for e in executions} == {(1, True), (2, True)}
    pool.scheduler.adopt(executions)
    pool.hear(joined(slots=2))
    told = pool.hear(pool.activated.model_copy(update={"revision": 6}))
    assert [trial for trial, _, _ in grants(told)] == [1, 2]


COMPLETED = {
    "trials": 1,
    "best": {"trial_id": 1, "metric": "loss", "value": 1.0, "hyperparameters": {}, "length": 1},
}


def test_a_finished_trial_whose_closing_was_lost_is_not_trained_again_when_the_search_is_extended() -> None:
    pool = Pool()
    pool.hear(joined(slots=1), pool.activated, requested(1))
    completed = ExperimentCompleted.model_validate({**COMPLETED, "revision": 5})
    pool.hear(ended(1, EndReason.RELEASED), completed)  # the broker lost the closing
    assert pool.at(2.9).hear() == [], "it may be on its way"
    assert pool.at(3).hear() == [ExperimentResyncRequested(requested_by="scheduler")]
    assert pool.hear(requested(1), closed(1), completed) == []
    assert (pool.closed[-1].closed, pool.closed[-1].closed_with_experiment) == ("finished", False)
    assert pool.scheduler.executions == {}
    assert grants(pool.hear(pool.activated.model_copy(update={"revision": 6}))) == []


def test_a_closed_trial_leaves_memory_once_it_holds_nothing() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1)
    pool.hear(closed(1))
    assert pool.execution(1).open
    pool.hear(ended(1, EndReason.RELEASED))
    assert pool.scheduler.executions == {}


def test_an_ended_experiment_leaves_memory() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1)
    pool.hear(closed(1), ended(1, EndReason.RELEASED))
    best = {"trial_id": 1, "metric": "loss", "value": 1.0, "hyperparameters": {}, "length": 1}
    pool.hear(ExperimentCompleted.model_validate({"revision": 3, "trials": 1, "best": best}))
    assert pool.scheduler.shares == {}


def test_a_trial_that_handed_its_slot_back_gets_no_other_before_the_decision() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1, 2)
    assert grants(pool.hear(result(1), ended(1))) == [(2, "a", 1)]
    assert pool.execution(1).allocation is None


def restored(pool: Pool) -> Scheduler:
    """The scheduler that another process would load."""
    scheduler = Scheduler("default")
    for runner in pool.scheduler.fleet.runners.values():
        runner = type(runner).from_document(runner.to_document(), pool.now)
        scheduler.fleet.runners[runner.runner_id] = runner
    scheduler.adopt(
        [Execution.from_document(e.to_document()) for e in pool.scheduler.executions.values()],
        [Share.from_document(s.to_document()) for s in pool.scheduler.shares.values()],
    )
    return scheduler


def test_a_successor_knows_who_holds_which_slot() -> None:
    pool = Pool()
    pool.hear(joined(slots=2))
    pool.start(1)
    pool.scheduler = restored(pool)
    assert grants(pool.hear(requested(2))) == [(2, "a", 1)]
    assert pool.hear(requested(3)) == []
    event: Event = ended(1, EndReason.FAILED)
    assert grants(pool.hear(event))[0][2] in (1, 2)


def test_a_source_checkpoint_is_where_a_new_trial_starts() -> None:
    pool = Pool()
    pool.hear(joined(), pool.activated)
    [grant] = pool.hear(requested(1).model_copy(update={"source_checkpoint": "s3://b/c"}))
    assert isinstance(grant, AllocationGranted)
    assert grant.checkpoint is not None
    assert (grant.checkpoint.uri, grant.checkpoint.length, grant.checkpoint.foreign) == ("s3://b/c", 0, True)


def other(pool: Pool, trials: int = 2, **resources: object) -> list[Event]:
    """A second experiment on the same pool."""
    activated = pool.activated.model_copy(update={"config": raw_config(resources=resources)})
    return pool.hear(activated, *(requested(trial) for trial in range(1, trials + 1)), experiment_id="other")


def test_an_experiment_that_waits_gets_its_share_by_preemption() -> None:
    pool = Pool()
    pool.hear(joined(slots=2))
    pool.start(1, 2, 3)
    other(pool)
    [revoked] = pool.at(15).hear(heartbeat((1, 1, 100), (2, 1, 100), slots=2))
    assert isinstance(revoked, AllocationRevoked)
    assert (revoked.trial_id, revoked.kill) == (2, False)
    told = pool.hear(saved(2, 40), ended(2, EndReason.PREEMPTED))
    assert [event.trial_id for event in told if isinstance(event, AllocationGranted)] == [1]
    assert pool.execution(1, "other").allocation is not None
    assert pool.execution(2).restarts == 0


def test_a_preemption_that_a_runner_did_not_hear_of_is_told_again() -> None:
    pool = Pool()
    pool.hear(joined(slots=2))
    pool.start(1, 2)
    other(pool)
    beat = heartbeat((1, 1, 100), (2, 1, 100), slots=2)
    pool.at(15).hear(beat)
    assert [type(event) for event in pool.at(20).hear(beat)] == [AllocationRevoked]


def test_a_disabled_runner_keeps_what_it_runs_and_takes_nothing_new() -> None:
    pool = Pool()
    pool.hear(joined(slots=2))
    pool.start(1)
    disable = RunnerChangeRequested(runner_id="a", enabled=False, reason="new driver")
    assert pool.hear(disable, requested(2)) == []
    assert pool.hear(heartbeat((1, 1, 100), slots=2)) == [], "a heartbeat does not enable it"
    assert pool.scheduler.report().runners[0].reason == "new driver"
    assert grants(pool.hear(RunnerChangeRequested(runner_id="a", enabled=True))) == [(2, "a", 1)]


def test_a_drained_runner_gives_back_what_it_runs() -> None:
    pool = Pool()
    pool.hear(joined("a"), joined("b", slots=0))
    pool.start(1)
    [revoked] = pool.hear(RunnerChangeRequested(runner_id="a", enabled=False, drain=True))
    assert isinstance(revoked, AllocationRevoked)
    pool.hear(heartbeat(runner_id="b"), saved(1, 40))
    assert grants(pool.hear(ended(1, EndReason.PREEMPTED))) == [(1, "b", 2)]


def test_the_report_says_why_trials_wait() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1, 2, 3)
    report = pool.scheduler.report()
    [claim] = report.claims
    assert (claim.held, claim.waiting, claim.next_trial) == (1, 2, 2)
    assert claim.reason == "it needs 1 slot, and 0 of 1 slots are free; it holds 1 slots at weight 1"
    assert report.runners[0].trials == ["exp/1"]
    pool.hear(ExperimentPaused(revision=1))
    assert pool.scheduler.report().claims[0].waiting == 0


def test_the_report_says_that_an_experiment_is_at_its_limit() -> None:
    pool = Pool(max_slots=1)
    pool.hear(joined(slots=2))
    pool.start(1, 2)
    assert "may hold 1 (resources.max_slots)" in pool.scheduler.report().claims[0].reason


def resting(pool: Pool) -> None:
    """Trial 1 is paused, and rests in the memory of runner b, while a has a free slot, too."""
    pool.hear(joined("b"))
    pool.start(1)
    pool.hear(saved(1, 100), result(1), TrialPaused(trial_id=1, length=Length.batches(100)))
    ending = ended(1, EndReason.RELEASED, runner_id="b").model_copy(update={"resident": True})
    assert pool.hear(ending, joined("a")) == []


def test_a_trial_that_rests_in_memory_goes_on_there() -> None:
    pool = Pool()
    resting(pool)
    pool.scheduler = restored(pool)
    assert grants(pool.hear(continued(1, 300))) == [(1, "b", 2)]


def test_a_trial_whose_place_is_taken_goes_on_elsewhere() -> None:
    pool = Pool()
    resting(pool)
    pool.hear(joined("b", session="2"))
    assert grants(pool.hear(continued(1, 300))) == [(1, "a", 2)]


def test_a_trial_that_is_closed_rests_no_longer() -> None:
    pool = Pool()
    resting(pool)
    [evicted] = pool.hear(closed(1, CloseReason.STOPPED))
    assert isinstance(evicted, AllocationRevoked)
    assert (evicted.runner_id, evicted.lease_number, evicted.kill) == ("b", 1, True)


def test_a_trial_that_rests_for_nothing_is_evicted() -> None:
    pool = Pool()
    pool.hear(joined("b"))
    pool.start(1)
    pool.hear(saved(1, 100), result(1), TrialPaused(trial_id=1, length=Length.batches(100)), continued(1, 300))
    late = ended(1, EndReason.RELEASED, runner_id="b").model_copy(update={"resident": True})
    [evicted] = pool.hear(late)
    assert isinstance(evicted, AllocationRevoked)
    assert evicted.lease_number == 1


def test_only_a_pause_lets_a_trial_rest() -> None:
    pool = Pool()
    pool.hear(joined(slots=2))
    pool.start(1, 2)
    paused = pool.hear(saved(1, 100), result(1), TrialPaused(trial_id=1, length=Length.batches(100)))
    over = pool.hear(saved(2, 100), result(2), closed(2))
    assert [event.paused for event in paused + over if isinstance(event, AllocationReleased)] == [True, False]


def given_up() -> Pool:
    """A pool whose trial 1 has used up its restarts, and was closed for it."""
    pool = Pool()
    pool.hear(joined())
    pool.start(1)
    for lease_number in (1, 2, 3):
        told = pool.hear(ended(1, EndReason.FAILED, lease_number))
    assert [e.attempt for e in told if isinstance(e, TrialExited)] == [1]
    pool.hear(closed(1, CloseReason.ERRORED))
    return pool


def again(attempt: int) -> TrialRequested:
    return requested(1).model_copy(update={"attempt": attempt})


def closed_attempt(attempt: int) -> TrialClosed:
    return closed(1, CloseReason.ERRORED).model_copy(update={"attempt": attempt})


def test_a_trial_that_is_tried_again_has_all_of_its_restarts() -> None:
    pool = given_up()
    pool.scheduler.adopt(pool.closed[-1:])
    assert grants(pool.hear(again(2))) == [(1, "a", 4)]
    for lease_number in (4, 5):
        assert len(grants(pool.hear(ended(1, EndReason.FAILED, lease_number)))) == 1
    [told] = [e for e in pool.hear(ended(1, EndReason.FAILED, 6)) if isinstance(e, TrialExited)]
    assert told.attempt == 2


def test_what_ended_the_attempt_before_does_not_end_this_one() -> None:
    pool = given_up()
    pool.scheduler.adopt(pool.closed[-1:])
    pool.hear(again(2))
    pool.hear(closed_attempt(1), again(1))
    assert pool.execution(1).closed is None
    assert pool.execution(1).attempt == 2


def test_an_attempt_that_was_closed_before_it_was_heard_of_stays_closed() -> None:
    pool = given_up()
    pool.scheduler.adopt(pool.closed[-1:])
    pool.hear(closed_attempt(2))
    pool.scheduler.adopt(pool.closed[-1:])
    assert grants(pool.hear(again(2))) == []
