"""The scheduler's shell: commit, then publish; one of two schedulers wins."""

import pytest

from etude.bus import MemoryBroker, MemoryBus
from etude.bus.topology import EVENTS, Queue
from etude.events import AllocationGranted, Envelope, Event, ExperimentCanceled, ExperimentDeleted
from etude.store import ConflictError, SqliteStore
from etude.store.schema import EXPERIMENT_SHARES, RUNNERS, TRIALS
from etude_scheduler.handlers import SchedulerHandlers
from tests.unit.make import NOW, envelope
from tests.unit.scheduler.pool import Pool, closed, ended, heartbeat, joined, requested, result

EVERYTHING = Queue("everything", EVENTS, ("#",))


class Shell:
    """Handlers with a store and a broker of their own."""

    def __init__(self, store: SqliteStore | None = None) -> None:
        self.store = store or SqliteStore()
        self.broker = MemoryBroker()
        self.broker.declare(EVERYTHING)
        self.handlers = SchedulerHandlers(self.store, MemoryBus(self.broker), lambda: NOW)

    async def hear(self, *events: Event) -> list[Event]:
        await self.handlers.handle([envelope(e, None if e.type.startswith("etude.runner") else "exp") for e in events])
        ready = self.broker.queues[EVERYTHING.name].ready
        return [Envelope.parse(ready.popleft().body).data for _ in range(len(ready))]


@pytest.fixture
async def shell() -> Shell:
    made = Shell()
    await made.store.open()
    return made


ACTIVATED = Pool().activated


def granted(told: list[Event]) -> list[tuple[int, int]]:
    return [(e.trial_id, e.lease_number) for e in told if isinstance(e, AllocationGranted)]


async def test_a_batch_is_scheduled_together(shell: Shell) -> None:
    told = await shell.hear(ACTIVATED, requested(1), requested(2), joined(slots=2))
    assert granted(told) == [(1, 1), (2, 1)]
    assert await shell.store.count(TRIALS, {"open": True}) == 2
    assert await shell.store.count(RUNNERS, {}) == 1


async def test_a_successor_goes_on_from_what_is_stored(shell: Shell) -> None:
    await shell.hear(ACTIVATED, requested(1), joined())
    other = Shell(shell.store)
    assert await other.hear(heartbeat((1, 1, 100))) == []
    assert granted(await other.hear(requested(2), closed(1), ended(1))) == [(2, 1)]


async def test_of_two_schedulers_the_slower_one_loads_again(shell: Shell) -> None:
    await shell.hear(ACTIVATED, requested(1))
    other = Shell(shell.store)
    assert granted(await other.hear(joined())) == [(1, 1)]
    assert granted(await shell.hear(joined(slots=1))) == []  # its memory still had trial 1 waiting


async def test_whoever_loses_twice_gives_the_batch_back_and_forgets(shell: Shell, monkeypatch) -> None:
    async def conflict(*_: object) -> None:
        raise ConflictError("somebody else")

    monkeypatch.setattr(shell.store, "put_versioned", conflict)
    with pytest.raises(ConflictError):
        await shell.hear(ACTIVATED, requested(1), joined())
    monkeypatch.undo()
    assert granted(await shell.hear(ACTIVATED, requested(1), joined())) == [(1, 1)]


async def test_nothing_is_told_that_is_not_committed(shell: Shell, monkeypatch) -> None:
    async def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(shell.store, "put_versioned", fail)
    with pytest.raises(OSError, match="disk full"):
        await shell.hear(ACTIVATED, requested(1), joined())
    assert len(shell.broker.queues[EVERYTHING.name].ready) == 0


async def test_a_trial_that_is_over_stays_over_when_it_is_named_again(shell: Shell) -> None:
    await shell.hear(ACTIVATED, requested(1), joined())
    await shell.hear(closed(1), ended(1))
    assert await shell.hear(requested(1)) == []


async def test_a_trial_that_is_requested_after_the_end_is_closed(shell: Shell) -> None:
    await shell.hear(ACTIVATED, joined(), ExperimentCanceled(revision=9))
    assert await shell.hear(requested(1)) == []
    assert await shell.store.count(TRIALS, {"closed": "canceled"}) == 1


async def test_a_standby_does_nothing_on_its_own(shell: Shell) -> None:
    await shell.handlers.tick()
    assert await shell.store.count(RUNNERS, {}) == 0


async def test_a_successor_repeats_at_once_what_nobody_has_answered(shell: Shell) -> None:
    await shell.hear(ACTIVATED, requested(1), joined())
    assert await shell.hear(result(1)) == [], "the searcher has heard of it, and may be about to answer"
    [reminder] = await Shell(shell.store).hear(heartbeat((1, 1, 100)))
    assert reminder.type == "etude.validation.completed.v1"


async def test_the_trials_of_a_deleted_experiment_are_forgotten(shell: Shell) -> None:
    await shell.hear(ACTIVATED, joined(), requested(1), requested(2))
    await shell.hear(ExperimentCanceled(revision=8))
    assert await shell.store.count(TRIALS, {}) == 2
    await shell.hear(ExperimentDeleted(revision=9))
    [left] = await shell.store.find(TRIALS, {})
    assert left["allocation"] is not None, "trial 1 holds its slots until its runner says that it ended"
    await shell.hear(ended(1))
    assert await shell.store.count(TRIALS, {}) == 0


async def test_what_is_still_told_of_it_makes_nothing(shell: Shell) -> None:
    await shell.hear(ACTIVATED, joined(), ExperimentDeleted(revision=9))
    for told in (requested(1), closed(1), result(1), ACTIVATED, ExperimentCanceled(revision=10)):
        assert await shell.hear(told) == []
    assert await Shell(shell.store).hear(requested(2)) == []
    assert await shell.store.count(TRIALS, {}) == 0
    [share] = await shell.store.find(EXPERIMENT_SHARES, {})
    assert (share["state"], share["config"], share["model_definition"]) == ("deleted", None, None)
