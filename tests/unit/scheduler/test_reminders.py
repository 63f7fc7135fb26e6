"""Reports for which no decision comes are repeated, soon and then ever more rarely."""

from datetime import timedelta

from etude.events import EndReason, Event, ExperimentPaused, RunnerHeartbeat, TrialExited, ValidationCompleted
from etude_scheduler.scheduler import Scheduler, Timing
from tests.unit.scheduler.pool import Pool, closed, continued, ended, heartbeat, joined, result


def reminders(events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, ValidationCompleted | TrialExited)]


def waiting_for_a_decision() -> Pool:
    pool = Pool(Timing(runner_timeout=timedelta(days=1)))
    pool.hear(joined())
    pool.start(1)
    assert reminders(pool.hear(result(1), ended(1))) == []
    return pool


def times_of_reminders(pool: Pool, seconds: int) -> list[int]:
    return [second for second in range(1, seconds) if reminders(pool.at(second).hear())]


def test_a_result_without_a_decision_is_reported_again_at_intervals_that_double() -> None:
    assert times_of_reminders(waiting_for_a_decision(), 100) == [3, 6, 12, 24, 48, 96]


def test_the_intervals_do_not_grow_for_ever() -> None:
    last, next_one = times_of_reminders(waiting_for_a_decision(), 1500)[-2:]
    assert next_one - last == 300


def test_a_decision_ends_the_reminders() -> None:
    pool = waiting_for_a_decision()
    assert len(reminders(pool.at(3).hear())) == 1
    pool.hear(continued(1, 300))
    assert times_of_reminders(pool, 100) == []


def test_a_trial_that_was_given_up_is_reported_again_until_it_is_closed() -> None:
    pool = Pool()
    pool.hear(joined())
    pool.start(1)
    pool.hear(ended(1, EndReason.INVALID_HYPERPARAMETERS))
    [exited] = reminders(pool.at(3).hear())
    assert isinstance(exited, TrialExited)
    pool.hear(closed(1))
    assert times_of_reminders(pool, 50) == []


def test_a_paused_experiment_is_not_reminded() -> None:
    pool = waiting_for_a_decision()
    pool.hear(ExperimentPaused(revision=1))
    assert times_of_reminders(pool, 50) == []


def test_whoever_takes_the_pool_over_repeats_at_once() -> None:
    pool = waiting_for_a_decision()
    successor = Pool()
    adopted = Scheduler("default")
    adopted.adopt(pool.scheduler.executions.values(), pool.scheduler.shares.values())
    successor.scheduler = adopted
    beat: RunnerHeartbeat = heartbeat()
    assert [type(event) for event in reminders(successor.hear(beat))] == [ValidationCompleted]
