"""Both transports keep the same promises."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from etude.bus import REFUSAL_LIMIT, DeadLetter, EventBus, UnknownQueueError
from etude.bus.topology import (
    Queue,
    runner_commands,
    scheduler_pool,
    searcher_partition,
    searcher_roster,
)
from etude.errors import Unavailable
from etude.events import (
    AllocationReleased,
    Envelope,
    EventError,
    ExperimentPauseRequested,
    Length,
    LogLine,
    LogWritten,
    TrialContinued,
    ValidationCompleted,
)
from tests.integration.conftest import Connect

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALL = Queue("test.all", "etude.events", ("#",), single_active=False)


def continued(number: int, experiment_id: str = "exp") -> Envelope:
    event = TrialContinued(trial_id=number, train_until=Length.batches(1))
    return Envelope.wrap(event, source="test", time=NOW, experiment_id=experiment_id)


class Recorder:
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[Envelope]] = []

    async def __call__(self, batch: Sequence[Envelope]) -> None:
        self.batches.append(list(batch))

    @property
    def events(self) -> list[Envelope]:
        return [envelope for batch in self.batches for envelope in batch]


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_events_arrive_whole_and_in_order(connect: Connect) -> None:
    bus = await connect()
    heard = Recorder()
    await bus.subscribe(scheduler_pool(), heard)
    sent = [continued(number) for number in range(1, 501)]
    assert await bus.publish(sent) == []
    await until(lambda: len(heard.events) == 500)
    assert heard.events == sent


async def test_waiting_events_come_in_batches(connect: Connect) -> None:
    bus = await connect()
    await bus.publish([continued(number) for number in range(1, 301)])
    heard = Recorder()
    await bus.subscribe(scheduler_pool(), heard)
    await until(lambda: len(heard.events) == 300)
    assert 2 <= len(heard.batches) < 100
    assert max(map(len, heard.batches)) <= 256


async def test_queues_get_what_their_patterns_ask_for(connect: Connect) -> None:
    bus = await connect()
    partitions = [Recorder() for _ in range(16)]
    for number, recorder in enumerate(partitions):
        await bus.subscribe(searcher_partition(number), recorder)
    pause = Envelope.wrap(ExperimentPauseRequested(), source="test", time=NOW, experiment_id="exp")
    validation = Envelope.wrap(
        ValidationCompleted(trial_id=1, lease_number=1, length=Length.batches(1), metrics={"loss": float("nan")}),
        source="test",
        time=NOW,
        experiment_id="exp",
        pool="gpus",
    )
    await bus.publish([pause, continued(1), validation])
    await until(lambda: sum(len(recorder.events) for recorder in partitions) == 2)
    assert [len(recorder.events) for recorder in partitions if recorder.events] == [2]


async def test_a_command_reaches_its_runner_and_no_other(connect: Connect) -> None:
    bus = await connect()
    runners = {name: Recorder() for name in ("gpu-1", "gpu.2")}
    for name, recorder in runners.items():
        await bus.subscribe(runner_commands(name, "s"), recorder)
    order = AllocationReleased(runner_id="gpu.2", trial_id=1, lease_number=1)
    await bus.publish([Envelope.wrap(order, source="test", time=NOW, experiment_id="exp")])
    await until(lambda: bool(runners["gpu.2"].events))
    assert runners["gpu-1"].events == []


async def test_telemetry_stays_off_the_events_exchange(connect: Connect) -> None:
    bus = await connect()
    heard = Recorder()
    await bus.subscribe(ALL, heard)
    lines = LogWritten(trial_id=1, lease_number=1, first=0, lines=[LogLine(time=NOW, stream="stdout", text="x")])
    await bus.publish([Envelope.wrap(lines, source="test", time=NOW, experiment_id="exp"), continued(1)])
    await until(lambda: bool(heard.events))
    assert [envelope.type for envelope in heard.events] == [TrialContinued.type]


async def test_one_consumer_is_active_and_a_standby_takes_over(connect: Connect) -> None:
    first_bus, second_bus, publisher = await connect(), await connect(), await connect()
    first, second = Recorder(), Recorder()
    subscription = await first_bus.subscribe(scheduler_pool(), first)
    await second_bus.subscribe(scheduler_pool(), second)
    await publisher.publish([continued(1), continued(2)])
    await until(lambda: len(first.events) == 2)
    await subscription.cancel()
    await publisher.publish([continued(3)])
    await until(lambda: len(second.events) == 1)
    assert len(first.events) == 2


async def test_consumers_are_counted_on_all_connections(connect: Connect) -> None:
    first_bus, second_bus = await connect(), await connect()
    first = await first_bus.subscribe(searcher_roster(), Recorder())
    assert await first.consumers() == 1
    second = await second_bus.subscribe(searcher_roster(), Recorder())
    assert await first.consumers() == await second.consumers() == 2
    await second.cancel()
    assert await first.consumers() == 1


async def test_what_a_cancelled_consumer_had_not_finished_goes_to_the_next(connect: Connect) -> None:
    first_bus, second_bus = await connect(), await connect()
    began = asyncio.Event()

    async def stuck(batch: Sequence[Envelope]) -> None:
        began.set()
        await asyncio.Event().wait()

    lost: list[bool] = []
    subscription = await first_bus.subscribe(scheduler_pool(), stuck, on_lost=lambda: lost.append(True))
    await first_bus.publish([continued(1), continued(2)])
    await began.wait()
    second = Recorder()
    await second_bus.subscribe(scheduler_pool(), second)
    await subscription.cancel()
    await until(lambda: len(second.events) == 2)
    assert [e.data.trial_id for e in second.events] == [1, 2]  # type: ignore[attr-defined]
    assert lost == [True]


async def test_a_failing_event_harms_only_itself(connect: Connect) -> None:
    bus = await connect()
    done: list[int] = []
    attempts: list[int] = []

    async def handler(batch: Sequence[Envelope]) -> None:
        for envelope in batch:
            number = envelope.data.trial_id  # type: ignore[attr-defined]
            if number == 2:
                attempts.append(number)
                raise RuntimeError("cannot")
        done.extend(e.data.trial_id for e in batch)  # type: ignore[attr-defined]

    await bus.publish([continued(number) for number in (1, 2, 3)])
    await bus.subscribe(scheduler_pool(), handler)
    await until(lambda: sorted(done) == [1, 3] and len(attempts) >= REFUSAL_LIMIT)


async def test_dead_letters_are_read_by_whoever_stores_them_and_go_back_to_their_queue(connect: Connect) -> None:
    bus = await connect()
    letters: list[DeadLetter] = []
    heard: list[int] = []
    refusing = True

    async def store(batch: Sequence[DeadLetter]) -> None:
        letters.extend(batch)

    async def handler(batch: Sequence[Envelope]) -> None:
        if refusing:
            raise EventError("not now")
        heard.extend(e.data.trial_id for e in batch)  # type: ignore[attr-defined]

    await bus.subscribe_dead_letters(store)
    await bus.subscribe(scheduler_pool(), handler)
    await bus.publish([continued(7)])
    await until(lambda: bool(letters))
    assert (letters[0].queue, letters[0].reason) == (scheduler_pool().name, "not now")
    assert Envelope.parse(letters[0].body) == continued(7).model_copy(update={"id": Envelope.parse(letters[0].body).id})
    refusing = False
    await bus.requeue(letters[0])
    await until(lambda: heard == [7])
    with pytest.raises(UnknownQueueError, match=r"etude\.gone"):
        await bus.requeue(DeadLetter("etude.gone", b"", ""))


async def test_an_event_error_goes_to_the_dead_letters_at_once(connect: Connect) -> None:
    bus = await connect()
    attempts: list[str] = []

    async def handler(batch: Sequence[Envelope]) -> None:
        attempts.append(batch[0].experiment)
        if batch[0].experiment == "unknown":
            raise EventError("no experiment unknown is known")

    await bus.subscribe(scheduler_pool(), handler)
    await bus.publish([continued(1, "unknown")])
    await until(lambda: len(attempts) >= 2)  # once in its batch, once alone
    await bus.publish([continued(1, "known")])
    await until(lambda: "known" in attempts)
    await asyncio.sleep(0.1)
    assert attempts.count("unknown") == 2


async def test_a_handler_without_its_server_keeps_its_batch(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    bus = await connect()
    attempts: list[int] = []
    real_sleep = asyncio.sleep
    monkeypatch.setattr("etude.bus.delivery.asyncio.sleep", lambda seconds: real_sleep(min(seconds, 0.01)))

    async def handler(batch: Sequence[Envelope]) -> None:
        attempts.append(len(batch))
        if len(attempts) < 30:
            raise Unavailable("no database")

    await bus.subscribe(scheduler_pool(), handler)
    await bus.publish([continued(1)])
    await until(lambda: len(attempts) == 30)
    await real_sleep(0.2)
    assert attempts == [1] * 30


async def test_a_closed_bus_says_so(connect: Connect) -> None:
    bus: EventBus = await connect()
    await bus.close()
    with pytest.raises(RuntimeError, match="closed"):
        await bus.publish([continued(1)])
