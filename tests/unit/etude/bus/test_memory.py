"""The memory bus beyond what it shares with the broker: routes, dead letters, idleness."""

import asyncio
from collections.abc import Sequence

import pytest

from etude.bus import REFUSAL_LIMIT, BusClosedError, DeadLetter, MemoryBroker, MemoryBus, UnknownQueueError
from etude.bus.topology import Queue, scheduler_pool
from etude.events import Envelope, Length, TrialContinued
from tests.unit.make import envelope

WATCH = Queue("watch", "etude.events", ("trial.#",), single_active=False)
CONTINUED = envelope(TrialContinued(trial_id=1, train_until=Length.batches(1)))


async def nothing(batch: Sequence[Envelope]) -> None:
    """Handles anything."""


async def settle(broker: MemoryBroker) -> None:
    await asyncio.sleep(0)
    while not broker.idle:
        await asyncio.sleep(0.001)


async def test_a_queue_that_comes_later_gets_what_comes_after() -> None:
    broker = MemoryBroker()
    bus = MemoryBus(broker)
    await bus.publish([CONTINUED])
    broker.declare(WATCH)
    await bus.publish([CONTINUED])
    assert (broker.depth(scheduler_pool().name), broker.depth("watch")) == (2, 1)
    broker.remove(WATCH)
    await bus.publish([CONTINUED])
    assert broker.depth(scheduler_pool().name) == 3
    assert "watch" not in broker.queues


async def test_an_event_that_no_queue_wants_comes_back() -> None:
    broker = MemoryBroker()
    for queue in [state.queue for state in broker.queues.values()]:
        broker.remove(queue)
    assert await MemoryBus(broker).publish([CONTINUED]) == [CONTINUED]


async def test_what_fails_too_often_is_dead() -> None:
    broker = MemoryBroker()
    bus = MemoryBus(broker)
    calls = 0

    async def failing(batch: Sequence[Envelope]) -> None:
        nonlocal calls
        calls += 1
        raise RuntimeError("no")

    await bus.subscribe(scheduler_pool(), failing)
    await bus.publish([CONTINUED])
    await settle(broker)
    [letter] = broker.dead
    assert letter.queue == scheduler_pool().name
    assert letter.reason == "its handler failed too often, last with RuntimeError('no')"
    assert calls == 2 * REFUSAL_LIMIT  # in its batch, then alone
    await bus.close()


async def test_an_exclusive_queue_goes_with_its_consumer() -> None:
    broker = MemoryBroker()
    bus = MemoryBus(broker)
    await bus.subscribe(Queue("mine", "etude.events", ("trial.#",), exclusive=True), nothing)
    assert "mine" in broker.queues
    await bus.close()
    assert "mine" not in broker.queues


async def test_a_closed_bus_says_so_and_its_broker_lives_on() -> None:
    broker = MemoryBroker()
    bus = MemoryBus(broker)
    await bus.close()
    with pytest.raises(BusClosedError, match="connect a new one"):
        await bus.publish([CONTINUED])
    assert await MemoryBus(broker).publish([CONTINUED]) == []


async def test_a_dead_letter_goes_to_whoever_stores_them_and_back_into_its_queue() -> None:
    broker = MemoryBroker()
    bus = MemoryBus(broker)
    letter = DeadLetter(scheduler_pool().name, CONTINUED.to_bytes(), "no")
    broker.bury(letter)
    stored: list[DeadLetter] = []

    async def store(letters: Sequence[DeadLetter]) -> None:
        stored.extend(letters)

    await bus.subscribe_dead_letters(store)
    while not stored:
        await asyncio.sleep(0)
    assert stored == [letter]
    await bus.requeue(letter)
    assert broker.depth(scheduler_pool().name) == 1
    with pytest.raises(UnknownQueueError, match=r"etude\.gone"):
        await bus.requeue(DeadLetter("etude.gone", b"", "no"))
    await bus.close()
