"""A trial over several runners: all or none, and one failure ends all."""

import pytest

from etude.events import AllocationGranted, AllocationRevoked, AllocationStarted, EndReason, Event, TrialExited
from etude_scheduler.execution import Execution
from etude_scheduler.scheduler import Scheduler
from etude_scheduler.share import Share
from tests.unit.make import later
from tests.unit.scheduler.pool import Pool, continued, ended, grants, heartbeat, joined, requested, result

MEETING = "10.0.0.1:29400"


def started(runner_id: str = "a", rendezvous: str | None = MEETING, lease_number: int = 1) -> AllocationStarted:
    return AllocationStarted(runner_id=runner_id, trial_id=1, lease_number=lease_number, rendezvous=rendezvous)


def gang() -> tuple[Pool, list[Event]]:
    """A trial of three slots over two runners of two."""
    pool = Pool()
    pool.hear(joined("a", slots=2), joined("b", slots=2), pool.activated)
    return pool, pool.hear(requested(1, slots=3))


def running_gang() -> Pool:
    pool, _ = gang()
    pool.hear(started(), started("b", None))
    return pool


def killed(events: list[Event]) -> list[str]:
    return [e.runner_id for e in events if isinstance(e, AllocationRevoked) and e.kill]


def test_the_first_runner_opens_a_meeting_place_and_the_others_come() -> None:
    pool, [first] = gang()
    assert isinstance(first, AllocationGranted)
    assert first.gang is not None
    assert (first.runner_id, first.slots, first.gang.first_rank, first.gang.rendezvous) == ("a", ["0", "1"], 0, None)
    [second] = pool.hear(started())
    assert isinstance(second, AllocationGranted)
    assert second.gang is not None
    assert (second.runner_id, second.slots, second.gang.first_rank, second.gang.size) == ("b", ["0"], 2, 3)
    assert second.gang.rendezvous == MEETING
    assert pool.hear(started(), started("b", None)) == []


def test_a_meeting_place_that_was_not_heard_of_is_in_the_heartbeat() -> None:
    pool, _ = gang()
    beat = heartbeat((1, 1, 100), slots=2)
    beat = beat.model_copy(update={"running": [beat.running[0].model_copy(update={"rendezvous": MEETING})]})
    assert grants(pool.hear(beat)) == [(1, "b", 1)]


def test_slots_of_all_members_are_held_at_once() -> None:
    pool, _ = gang()
    assert grants(pool.hear(requested(2), requested(3))) == [(2, "b", 1)]


def test_all_members_are_told_to_train_further() -> None:
    pool = running_gang()
    pool.hear(result(1))
    assert [e.runner_id for e in pool.hear(continued(1, 300))] == ["a", "b"]  # type: ignore[attr-defined]


def test_a_failure_of_one_ends_all_and_counts_once() -> None:
    pool = running_gang()
    assert killed(pool.hear(ended(1, EndReason.FAILED, runner_id="b", detail="oh"))) == ["a"]
    assert pool.execution(1).restarts == 0, "the gang ends whole before it begins anew"
    told = pool.hear(ended(1, EndReason.PREEMPTED, runner_id="a"))
    assert grants(told) == [(1, "a", 2)]
    assert pool.execution(1).restarts == 1


def test_what_is_told_of_a_failure_is_the_first_one() -> None:
    pool = running_gang()
    for lease in (1, 2, 3):
        pool.hear(ended(1, EndReason.FAILED, lease, runner_id="b", detail="no"))
        told = pool.hear(ended(1, EndReason.FAILED, lease, runner_id="a", detail="connection lost"))
        pool.hear(started(lease_number=lease + 1))
    [exited] = [event for event in told if isinstance(event, TrialExited)]
    assert exited.detail == "no"


def test_a_lost_runner_ends_the_gang_at_no_cost() -> None:
    pool = running_gang()
    pool.at(25).hear(heartbeat((1, 1, 100), slots=2))
    assert killed(pool.at(40).hear(joined("c", slots=1))) == ["a"]
    assert grants(pool.hear(ended(1, EndReason.FAILED, runner_id="a"))) == [(1, "a", 2)]
    assert pool.execution(1).restarts == 0
    assert pool.now == later(40)


def test_a_member_that_was_not_told_yet_is_simply_let_go() -> None:
    pool, _ = gang()
    told = pool.hear(ended(1, EndReason.FAILED, runner_id="a"))
    assert killed(told) == []
    assert grants(told) == [(1, "a", 2)]


def test_a_gang_survives_its_scheduler() -> None:
    from tests.unit.scheduler.test_scheduler import restored

    pool, _ = gang()
    pool.scheduler = restored(pool)
    assert grants(pool.hear(started())) == [(1, "b", 1)]
    pool.scheduler = restored(pool)
    pool.hear(ended(1, EndReason.RELEASED, runner_id="a"))
    assert pool.execution(1).allocation is not None
    assert grants(pool.hear(ended(1, EndReason.RELEASED, runner_id="b"))) == [(1, "a", 2)]


@pytest.mark.parametrize("met", [False, True])
def test_a_gang_whose_runners_are_all_gone_when_its_scheduler_comes_back_is_placed_anew(met: bool) -> None:
    pool, _ = gang()
    if met:
        pool.hear(started(), started("b", None))
    before = pool.scheduler
    pool.scheduler = Scheduler("default")
    pool.scheduler.adopt(
        [Execution.from_document(e.to_document()) for e in before.executions.values()],
        [Share.from_document(s.to_document()) for s in before.shares.values()],
    )
    assert grants(pool.hear(joined("c", slots=4))) == [(1, "c", 2)]
