"""Chaos: a bus and a store that do what networks and servers do."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from etude.bus import DeadLetter, MemoryBroker, MemoryBus, Subscription
from etude.bus.memory import MemorySubscription
from etude.bus.port import Handler, LetterHandler
from etude.bus.topology import Queue, exchange_of, routing_key
from etude.errors import Unavailable
from etude.events import Envelope
from etude.store import Document, SqliteStore, Where
from etude.store.schema import Collection


@dataclass(frozen=True)
class Weather:
    """How bad it is; probabilities for each event or call.

    Attributes
    ----------
    duplicated, delayed : of an event on its way to its queues
    unavailable : of a call to the store that fails, before or after it did its work
    """

    duplicated: float = 0.03
    delayed: float = 0.1
    longest_delay: float = 20.0
    unavailable: float = 0.01


class ChaosBus:
    """A connection on which events are duplicated and delayed, and so overtake each other.

    Parameters
    ----------
    published : is told each event when it is published
    """

    def __init__(
        self,
        broker: MemoryBroker,
        dice: random.Random,
        weather: Weather,
        published: Callable[[Envelope], None],
    ) -> None:
        self._broker = broker
        self._bus = MemoryBus(broker)
        self._dice = dice
        self._weather = weather
        self._published = published
        self._subscriptions: list[ChaosSubscription] = []
        self._connected = asyncio.Event()
        self._connected.set()

    async def publish(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        await asyncio.sleep(self._dice.random() * 0.01)
        await self._connected.wait()
        loop, dice, weather = asyncio.get_running_loop(), self._dice, self._weather
        for envelope in envelopes:
            self._published(envelope)
            route = (exchange_of(envelope), routing_key(envelope), envelope.to_bytes())
            for _ in range(2 if dice.random() < weather.duplicated else 1):
                if dice.random() < weather.delayed:
                    loop.call_later(dice.random() * weather.longest_delay, self._broker.route, *route)
                else:
                    self._broker.route(*route)
        await asyncio.sleep(self._dice.random() * 0.01)
        return []

    async def subscribe(
        self, queue: Queue, handler: Handler, on_lost: Callable[[], None] | None = None
    ) -> "ChaosSubscription":
        subscription = ChaosSubscription(self._bus, queue, handler, on_lost)
        self._subscriptions.append(subscription)
        await self._connected.wait()
        await subscription.attach()
        return subscription

    async def subscribe_dead_letters(self, handler: LetterHandler) -> Subscription:
        return await self._bus.subscribe_dead_letters(handler)

    async def requeue(self, letter: DeadLetter) -> None:
        await self._bus.requeue(letter)

    async def cut(self, seconds: float) -> None:
        """Lose the connection, and have another one after so long."""
        await self.lose()
        await asyncio.sleep(seconds)
        await self.connect()

    async def lose(self) -> None:
        """Lose the connection."""
        self._connected.clear()
        for subscription in self._subscriptions:
            await subscription.detach()

    async def connect(self) -> None:
        """Have a connection again."""
        for subscription in self._subscriptions:
            await subscription.attach()
        self._connected.set()

    async def close(self) -> None:
        await self._bus.close()


class ChaosSubscription:
    """A consumer that is lost with its connection, and comes back with the next one."""

    def __init__(self, bus: MemoryBus, queue: Queue, handler: Handler, on_lost: Callable[[], None] | None) -> None:
        self._bus, self._queue, self._handler, self._on_lost = bus, queue, handler, on_lost
        self._inner: MemorySubscription | None = None
        self._canceled = False

    async def attach(self) -> None:
        if self._inner is None and not self._canceled:
            self._inner = await self._bus.subscribe(self._queue, self._handler, self._on_lost)

    async def detach(self) -> None:
        inner, self._inner = self._inner, None
        if inner is not None:
            await inner.cancel()

    async def consumers(self) -> int:
        return await self._inner.consumers() if self._inner else 0

    async def cancel(self) -> None:
        self._canceled = True
        await self.detach()


class ChaosStore:
    """A store that takes its time, and is away now and then, sometimes after it did what it was told."""

    def __init__(self, store: SqliteStore, dice: random.Random, weather: Weather) -> None:
        self._store = store
        self._dice = dice
        self._weather = weather

    async def open(self) -> None:
        await self._store.open()

    async def close(self) -> None:
        """The one store outlives every connection."""

    async def get(self, collection: Collection, ids: Sequence[str]) -> list[Document]:
        if not ids:
            return []
        await self._trouble()
        return await self._store.get(collection, ids)

    async def find(
        self, collection: Collection, where: Where, order_by: Sequence[str] = (), limit: int | None = None
    ) -> list[Document]:
        await self._trouble()
        return await self._store.find(collection, where, order_by, limit)

    async def count(self, collection: Collection, where: Where) -> int:
        await self._trouble()
        return await self._store.count(collection, where)

    async def insert(self, collection: Collection, documents: Sequence[Document]) -> None:
        await self._trouble()
        await self._store.insert(collection, documents)
        await self._trouble()

    async def put(self, collection: Collection, documents: Sequence[Document]) -> None:
        await self._trouble()
        await self._store.put(collection, documents)
        await self._trouble()

    async def put_latest(self, collection: Collection, documents: Sequence[Document], by: str) -> None:
        await self._trouble()
        await self._store.put_latest(collection, documents, by)
        await self._trouble()

    async def put_versioned(self, collection: Collection, documents: Sequence[Document]) -> None:
        await self._trouble()
        await self._store.put_versioned(collection, documents)
        await self._trouble()

    async def delete(self, collection: Collection, where: Where) -> int:
        await self._trouble()
        deleted = await self._store.delete(collection, where)
        await self._trouble()
        return deleted

    async def _trouble(self) -> None:
        await asyncio.sleep(self._dice.random() * 0.01)
        if self._dice.random() < self._weather.unavailable:
            raise Unavailable("the simulated database is away")
