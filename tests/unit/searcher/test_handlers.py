"""The searcher's shell: commit, then publish; a decision is made once."""

import asyncio
import time
from datetime import timedelta

import pytest

from etude.bus import MemoryBroker, MemoryBus
from etude.bus.topology import metrics_events, scheduler_pool
from etude.events import (
    Envelope,
    Event,
    EventError,
    ExperimentActivateRequested,
    ExperimentCancelRequested,
    ExperimentChangeRefused,
    ExperimentCompleted,
    ExperimentDeleted,
    ExperimentDeleteRequested,
    ExperimentPaused,
    ExperimentPauseRequested,
    ExperimentResyncRequested,
    TrialRequested,
    ValidationCompleted,
)
from etude.store import DuplicateKeyError, SqliteStore
from etude.store.schema import EXPERIMENTS, SEARCH_LOG, SEARCH_SNAPSHOTS
from etude_searcher.handlers import SearchHandlers
from tests.unit.make import NOW, created, envelope, raw_config, validation


class Searcher:
    """Handlers with a store and a broker of their own."""

    def __init__(self, store: SqliteStore | None = None, deadline: float = 0.05) -> None:
        self.store = store or SqliteStore()
        self.broker = MemoryBroker()
        self.now = NOW
        self.handlers = SearchHandlers(self.store, MemoryBus(self.broker), lambda: self.now, deadline)

    def told(self, queue: str = scheduler_pool().name) -> list[Envelope]:
        ready = self.broker.queues[queue].ready
        return [Envelope.parse(ready.popleft().body) for _ in range(len(ready))]

    async def log(self) -> list[int]:
        return [d["seq"] for d in await self.store.find(SEARCH_LOG, {"experiment_id": "exp"}, ("seq",))]


@pytest.fixture
async def searcher() -> Searcher:
    made = Searcher()
    await made.store.open()
    return made


def of_type(told: list[Envelope], kind: type[Event]) -> list[Envelope]:
    return [e for e in told if isinstance(e.data, kind)]


async def test_a_batch_is_decided_in_order_and_told_together(searcher: Searcher) -> None:
    await searcher.handlers.handle([envelope(created()), envelope(validation(2, 400)), envelope(validation(1, 400))])
    assert await searcher.log() == [0, 1, 2]
    assert [e.data.trial_id for e in of_type(searcher.told(), TrialRequested)] == [1, 2, 3, 4]


async def test_a_redelivered_event_is_answered_with_the_same_ids(searcher: Searcher) -> None:
    batch = [envelope(created(), id="one"), envelope(validation(1, 400), id="two")]
    await searcher.handlers.handle(batch)
    first = [e.id for e in searcher.told()]
    searcher.handlers.forget()
    await searcher.handlers.handle(batch)
    assert [e.id for e in searcher.told()] == first
    assert await searcher.log() == [0, 1]


async def test_a_redelivered_pause_is_told_again_and_not_made_again(searcher: Searcher) -> None:
    pause = envelope(ExperimentPauseRequested(), id="pause")
    activate = envelope(ExperimentActivateRequested(), id="activate")
    await searcher.handlers.handle([envelope(created()), pause, activate])
    first = of_type(searcher.told(), ExperimentPaused)
    await searcher.handlers.handle([pause])
    assert [e.id for e in searcher.told()] == [e.id for e in first]
    assert await searcher.log() == [0, 1, 2]
    [document] = await searcher.store.get(EXPERIMENTS, ["exp"])
    assert document["state"] == "active"


async def test_an_owner_that_was_overtaken_does_not_turn_the_document_back(searcher: Searcher) -> None:
    await searcher.handlers.handle([envelope(created())])
    [before] = await searcher.store.get(EXPERIMENTS, ["exp"])
    await searcher.handlers.handle([envelope(validation(1, 400))])
    await searcher.store.put_latest(EXPERIMENTS, [before], by="seq")
    [document] = await searcher.store.get(EXPERIMENTS, ["exp"])
    assert document["seq"] == 2


async def test_events_tell_what_caused_them(searcher: Searcher) -> None:
    await searcher.handlers.handle([envelope(created(), id="the-cause")])
    assert {e.causationid for e in searcher.told()} == {"the-cause"}


async def test_another_searcher_goes_on_where_the_first_stopped(searcher: Searcher) -> None:
    await searcher.handlers.handle([envelope(created()), envelope(validation(1, 400))])
    other = Searcher(searcher.store)
    await other.handlers.handle([envelope(validation(trial, 400)) for trial in (2, 3, 4)])
    assert await other.log() == [0, 1, 2, 3, 4]
    assert len(of_type(other.told(), ExperimentCompleted)) == 1


async def test_of_two_owners_the_loser_loads_again(searcher: Searcher) -> None:
    await searcher.handlers.handle([envelope(created())])
    other = Searcher(searcher.store)
    await other.handlers.handle([envelope(validation(1, 400))])
    await searcher.handlers.handle([envelope(validation(2, 400))])  # its memory does not know of decision 1
    assert await searcher.log() == [0, 1, 2]


async def test_whoever_loses_twice_gives_the_batch_back(searcher: Searcher, monkeypatch) -> None:
    async def never(*_: object) -> None:
        raise DuplicateKeyError("taken")

    await searcher.handlers.handle([envelope(created())])
    monkeypatch.setattr(searcher.store, "insert", never)
    with pytest.raises(DuplicateKeyError):
        await searcher.handlers.handle([envelope(validation(1, 400))])
    monkeypatch.undo()
    await searcher.handlers.handle([envelope(validation(1, 400))])
    assert await searcher.log() == [0, 1]


async def test_nothing_is_told_that_is_not_committed(searcher: Searcher, monkeypatch) -> None:
    async def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(searcher.store, "insert", fail)
    with pytest.raises(OSError, match="disk full"):
        await searcher.handlers.handle([envelope(created())])
    assert searcher.told() == []


async def test_an_event_of_an_unknown_experiment_is_an_error(searcher: Searcher) -> None:
    with pytest.raises(EventError, match=r"no experiment exp is known; publish experiment\.created first"):
        await searcher.handlers.handle([envelope(validation(1, 400))])


async def test_an_experiment_in_another_pool_is_told_there(searcher: Searcher) -> None:
    searcher.broker.declare(scheduler_pool("gpu"))
    raw = raw_config(resources={"resource_pool": "gpu"})
    await searcher.handlers.handle([envelope(created(raw), pool="gpu")])
    assert searcher.told() == []
    assert len(searcher.broker.queues[scheduler_pool("gpu").name].ready) > 0


def thoughtful() -> Envelope:
    raw = raw_config({"max_trials": 12, "max_concurrent_trials": 1, "sampler": {"name": "tpe", "startup_trials": 3}})
    return envelope(created(raw))


async def trained(searcher: Searcher, count: int) -> int:
    """Train so many trials one after another; returns how many draws nobody had prepared."""
    await searcher.handlers.handle([thoughtful()])
    for trial in range(1, count + 1):
        await searcher.handlers.handle([envelope(validation(trial, 400, loss=trial))])
    [document] = await searcher.store.get(EXPERIMENTS, ["exp"])
    return int(document["unprepared_draws"])


async def test_a_sampler_thinks_between_decisions_and_a_decision_waits_for_it() -> None:
    patient = Searcher(deadline=30.0)
    await patient.store.open()
    assert await trained(patient, 8) <= 1  # the first that could have been prepared had no time before it


async def test_a_decision_does_not_wait_for_a_slow_sampler(monkeypatch) -> None:
    began = asyncio.Event()

    def forever(*_: object) -> None:
        loop.call_soon_threadsafe(began.set)
        time.sleep(0.5)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr("etude_searcher.samplers.tpe.TpeSampler.propose", forever)
    hasty = Searcher(deadline=0.01)
    await hasty.store.open()
    async with asyncio.timeout(10):
        assert await trained(hasty, 6) >= 2
        await began.wait()


async def test_a_sampler_that_fails_draws_at_random(monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no convergence")

    monkeypatch.setattr("etude_searcher.samplers.tpe.TpeSampler.propose", fail)
    searcher = Searcher(deadline=30.0)
    await searcher.store.open()
    assert await trained(searcher, 8) >= 1


async def test_repair_tells_again_what_is_awaited(searcher: Searcher) -> None:
    await searcher.handlers.handle([envelope(created()), envelope(validation(1, 400))])
    searcher.told()
    await searcher.handlers.repair()
    assert [e.data.trial_id for e in of_type(searcher.told(), TrialRequested)] == [2, 3, 4]


async def test_the_experiment_document_keeps_up(searcher: Searcher) -> None:
    await searcher.handlers.handle([envelope(created()), envelope(validation(1, 400, loss=0.5))])
    [document] = await searcher.store.get(EXPERIMENTS, ["exp"])
    assert (document["state"], document["trials"], document["best"]["value"]) == ("active", 4, 0.5)


DELETE = envelope(ExperimentDeleteRequested(requested_by="person"), id="delete")


async def ended(searcher: Searcher) -> None:
    await searcher.handlers.handle([envelope(created()), envelope(ExperimentCancelRequested(), id="cancel")])
    searcher.told()


async def test_of_a_deleted_experiment_only_the_last_decision_is_left(searcher: Searcher) -> None:
    await ended(searcher)
    await searcher.store.put(SEARCH_SNAPSHOTS, [{"_id": "exp:0:0", "experiment_id": "exp", "seq": 1, "part": 0}])
    await searcher.handlers.handle([DELETE])
    [told] = searcher.told()
    assert told.data == ExperimentDeleted(revision=2, requested_by="person")
    assert await searcher.log() == [2]
    assert await searcher.store.count(SEARCH_SNAPSHOTS, {}) == 0
    [document] = await searcher.store.find(EXPERIMENTS, {})
    assert (document["state"], document["seq"], document["pool"]) == ("deleted", 3, "default")
    assert "config" not in document


async def test_what_is_told_of_a_deleted_experiment_is_ignored(searcher: Searcher) -> None:
    await ended(searcher)
    await searcher.handlers.handle([DELETE, envelope(validation(1, 400))])
    searcher.told()
    late = [envelope(created()), envelope(validation(1, 400)), envelope(ExperimentCancelRequested(), id="cancel")]
    await searcher.handlers.handle(late)
    assert searcher.told() == []
    assert await searcher.log() == [2]


async def test_who_asks_for_it_again_is_told_again(searcher: Searcher) -> None:
    await ended(searcher)
    await searcher.handlers.handle([DELETE])
    [first] = searcher.told()
    await searcher.handlers.handle([DELETE])
    await searcher.handlers.repair()
    assert [e.id for e in searcher.told()] == [first.id, first.id]


async def test_an_experiment_that_goes_on_is_not_deleted(searcher: Searcher) -> None:
    searcher.broker.declare(metrics_events())
    await searcher.handlers.handle([envelope(created()), DELETE])
    *_, refused = searcher.told(metrics_events().name)
    assert isinstance(refused.data, ExperimentChangeRefused)
    assert refused.data.reason == "the experiment is active; cancel it before it is deleted"
    assert await searcher.log() == [0, 1]
    [document] = await searcher.store.find(EXPERIMENTS, {})
    assert document["state"] == "active"


@pytest.mark.parametrize("fails", ["delete", "put_latest"])
async def test_a_crash_while_it_is_deleted_is_made_good(searcher: Searcher, monkeypatch, fails: str) -> None:
    async def crash(*_: object, **__: object) -> None:
        raise OSError("killed")

    await ended(searcher)
    monkeypatch.setattr(searcher.store, fails, crash)
    with pytest.raises(OSError, match="killed"):
        await searcher.handlers.handle([DELETE])
    monkeypatch.undo()
    other = Searcher(searcher.store)
    await other.handlers.handle([DELETE])
    assert [type(e.data) for e in other.told()] == [ExperimentDeleted]
    assert await other.log() == [2]
    [document] = await other.store.find(EXPERIMENTS, {})
    assert document["state"] == "deleted"


async def test_who_decides_from_memory_does_not_bring_it_back(searcher: Searcher) -> None:
    await ended(searcher)
    other = Searcher(searcher.store)
    await other.handlers.handle([DELETE])
    assert len(other.told()) == 1
    await searcher.handlers.handle([envelope(ExperimentDeleteRequested(), id="another")])  # its memory has the search
    assert [type(e.data) for e in searcher.told()] == [ExperimentDeleted]
    assert await searcher.log() == [2]


async def times_of_reminders(searcher: Searcher, seconds: int) -> list[int]:
    """Seconds from now at which the requests of all running trials are published again."""
    begin, times = searcher.now, []
    for second in range(1, seconds):
        searcher.now = begin + timedelta(seconds=second)
        await searcher.handlers.break_silences()
        if of_type(searcher.told(), TrialRequested):
            times.append(second)
    return times


async def test_a_search_without_any_event_publishes_again_what_it_wants(searcher: Searcher) -> None:
    await searcher.handlers.handle([envelope(created())])
    searcher.told()
    assert await times_of_reminders(searcher, 200) == [5, 15, 35, 75, 155]


async def test_silence_is_what_is_longer_than_trials_take_to_report(searcher: Searcher) -> None:
    await searcher.handlers.handle([envelope(created())])
    searcher.now += timedelta(seconds=60)
    await searcher.handlers.handle([envelope(validation(1, 400))])
    searcher.told()
    assert await times_of_reminders(searcher, 200) == [120]


async def test_neither_a_paused_nor_an_ended_search_breaks_its_silence(searcher: Searcher) -> None:
    await searcher.handlers.handle([envelope(created()), envelope(ExperimentPauseRequested())])
    searcher.told()
    assert await times_of_reminders(searcher, 50) == []
    await searcher.handlers.handle([envelope(ExperimentCancelRequested())])
    searcher.told()
    assert await times_of_reminders(searcher, 50) == []


async def test_who_gave_a_partition_up_is_silent(searcher: Searcher) -> None:
    await searcher.handlers.handle([envelope(created())])
    searcher.told()
    searcher.handlers.forget()
    assert await times_of_reminders(searcher, 50) == []


async def test_a_resync_publishes_all_decisions_again_with_the_reports_that_they_answer(searcher: Searcher) -> None:
    await searcher.handlers.handle([envelope(created()), envelope(validation(2, 400)), envelope(validation(1, 400))])
    scheduler, metrics = searcher.told(), searcher.told(metrics_events().name)
    await searcher.handlers.handle([envelope(ExperimentResyncRequested())])
    assert [e.id for e in searcher.told() if not isinstance(e.data, ValidationCompleted)] == [e.id for e in scheduler]
    again = [e for e in searcher.told(metrics_events().name) if not isinstance(e.data, ExperimentResyncRequested)]
    assert {e.id for e in metrics} <= {e.id for e in again}
    assert [e.data.trial_id for e in of_type(again, ValidationCompleted)] == [2, 1]
    assert await searcher.log() == [0, 1, 2]


async def test_of_an_experiment_that_is_not_known_it_says_that_it_is_deleted(searcher: Searcher) -> None:
    await searcher.handlers.handle([envelope(ExperimentResyncRequested(requested_by="metrics"))])
    [told] = searcher.told()
    assert (told.experiment, told.data) == ("exp", ExperimentDeleted(revision=0, requested_by="metrics"))
    assert await searcher.log() == []


async def test_of_an_experiment_that_was_deleted_it_says_so_again(searcher: Searcher) -> None:
    gone = [created(), ExperimentCancelRequested(), ExperimentDeleteRequested()]
    await searcher.handlers.handle([envelope(event) for event in gone])
    [first] = of_type(searcher.told(), ExperimentDeleted)
    searcher.handlers.forget()
    await searcher.handlers.handle([envelope(ExperimentResyncRequested())])
    assert [e.id for e in searcher.told()] == [first.id]
