"""The memory bus: the broker's semantics within one process, for `etude run`, tests and simulation."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from etude.bus.delivery import Refusals, deliver, deliver_letters
from etude.bus.errors import BusClosedError, UnknownQueueError
from etude.bus.port import BATCH, DeadLetter, Handler, LetterHandler, Subscription
from etude.bus.topology import Queue, durable_queues, exchange_of, matches, routing_key
from etude.events import Envelope


@dataclass(eq=False)
class _Message:
    body: bytes


@dataclass(eq=False)
class _QueueState:
    queue: Queue
    refusals: Refusals = field(default_factory=Refusals)
    ready: deque[_Message] = field(default_factory=deque)
    consumers: list["MemorySubscription"] = field(default_factory=list)
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class MemoryBroker:
    """The queues. Several :class:`MemoryBus` connections share one broker, as services share a RabbitMQ."""

    def __init__(self, pools: tuple[str, ...] = ("default",)) -> None:
        self.queues: dict[str, _QueueState] = {}
        self.dead: list[DeadLetter] = []
        self.unread_letters: asyncio.Queue[DeadLetter] = asyncio.Queue()
        self._routes: dict[tuple[str, str], list[_QueueState]] = {}
        for queue in durable_queues(pools):
            self.declare(queue)

    def declare(self, queue: Queue) -> _QueueState:
        """Create a queue if there is none of its name."""
        if queue.name not in self.queues:
            state = self.queues[queue.name] = _QueueState(queue)
            for (exchange, key), states in self._routes.items():
                if _wants(queue, exchange, key):
                    states.append(state)
        return self.queues[queue.name]

    def remove(self, queue: Queue) -> None:
        """Delete a queue with all that is in it."""
        state = self.queues.pop(queue.name, None)
        for states in self._routes.values():
            if state in states:
                states.remove(state)

    def route(self, exchange: str, key: str, body: bytes) -> bool:
        """Put a body into every queue bound to the key; False if there is none."""
        routes = self._routes.get((exchange, key))
        if routes is None:
            routes = [state for state in self.queues.values() if _wants(state.queue, exchange, key)]
            self._routes[exchange, key] = routes
        for state in routes:
            state.ready.append(_Message(body))
            state.wake.set()
        return bool(routes)

    def bury(self, letter: DeadLetter) -> None:
        """Keep a dead letter, for whoever consumes them."""
        self.dead.append(letter)
        self.unread_letters.put_nowait(letter)

    def requeue(self, letter: DeadLetter) -> None:
        """Put a dead letter back into its queue."""
        if letter.queue not in self.queues:
            raise UnknownQueueError(f"there is no queue {letter.queue}")
        state = self.queues[letter.queue]
        state.ready.append(_Message(letter.body))
        state.wake.set()

    @property
    def idle(self) -> bool:
        """True when no consumer has anything left to do."""
        return all(
            not state.ready and not any(consumer.busy for consumer in state.consumers)
            for state in self.queues.values()
            if state.consumers
        )

    def depth(self, name: str) -> int:
        """How many messages wait in a queue."""
        return len(self.queues[name].ready)


def _wants(queue: Queue, exchange: str, key: str) -> bool:
    return queue.exchange == exchange and any(matches(binding, key) for binding in queue.bindings)


class MemorySubscription:
    """A consumer of one queue of a memory broker."""

    def __init__(
        self, broker: MemoryBroker, state: _QueueState, handler: Handler, on_lost: Callable[[], None] | None
    ) -> None:
        self._broker = broker
        self._state = state
        self._handler = handler
        self._on_lost = on_lost
        self._unacked: list[_Message] = []
        state.consumers.append(self)
        self._task = asyncio.create_task(self._run(), name=f"consume {state.queue.name}")

    @property
    def _active(self) -> bool:
        return not self._state.queue.single_active or self._state.consumers[0] is self

    @property
    def busy(self) -> bool:
        """True while the handler has a batch."""
        return bool(self._unacked)

    async def _run(self) -> None:
        while True:
            while not (self._active and self._state.ready):
                self._state.wake.clear()
                await self._state.wake.wait()
            take = min(BATCH, len(self._state.ready))
            self._unacked = [self._state.ready.popleft() for _ in range(take)]
            messages = [(message, message.body) for message in self._unacked]
            outcome = await deliver(messages, self._handler, self._state.refusals)
            self._unacked = []
            for message, reason in outcome.dead:
                self._broker.bury(DeadLetter(self._state.queue.name, message.body, reason))
            self._state.ready.extendleft(reversed(outcome.back))
            await asyncio.sleep(0)

    async def consumers(self) -> int:
        """How many consumers the queue has."""
        return len(self._state.consumers)

    async def cancel(self) -> None:
        """Stop consuming; what was not acknowledged goes back to the queue."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._state.ready.extendleft(reversed(self._unacked))
        self._unacked = []
        if self in self._state.consumers:
            self._state.consumers.remove(self)
        if self._state.queue.exclusive and not self._state.consumers:
            self._broker.remove(self._state.queue)
        self._state.wake.set()
        if self._on_lost:
            self._on_lost()


class _LetterSubscription:
    """A consumer of a memory broker's dead letters."""

    def __init__(self, broker: MemoryBroker, handler: LetterHandler) -> None:
        self._broker, self._handler = broker, handler
        self._task = asyncio.create_task(self._run(), name="consume dead letters")

    async def _run(self) -> None:
        while True:
            letter = await self._broker.unread_letters.get()
            try:
                await deliver_letters([(letter, letter)], self._handler)
            except asyncio.CancelledError:
                self._broker.unread_letters.put_nowait(letter)
                raise

    async def consumers(self) -> int:
        """How many consumers there are that this one knows of."""
        return 1

    async def cancel(self) -> None:
        """Stop consuming."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class MemoryBus:
    """A connection to a memory broker; see :class:`etude.bus.EventBus`."""

    def __init__(self, broker: MemoryBroker | None = None) -> None:
        self.broker = broker or MemoryBroker()
        self._subscriptions: list[MemorySubscription | _LetterSubscription] = []
        self._closed = False

    async def publish(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        """Route every event; returns those that no queue wanted."""
        if self._closed:
            raise BusClosedError("the memory bus is closed; connect a new one to the broker")
        return [
            envelope
            for envelope in envelopes
            if not self.broker.route(exchange_of(envelope), routing_key(envelope), envelope.to_bytes())
        ]

    async def subscribe(
        self, queue: Queue, handler: Handler, on_lost: Callable[[], None] | None = None
    ) -> MemorySubscription:
        """Consume a queue until cancelled."""
        subscription = MemorySubscription(self.broker, self.broker.declare(queue), handler, on_lost)
        self._subscriptions.append(subscription)
        return subscription

    async def subscribe_dead_letters(self, handler: LetterHandler) -> Subscription:
        """Consume the dead letters of all queues until cancelled."""
        subscription = _LetterSubscription(self.broker, handler)
        self._subscriptions.append(subscription)
        return subscription

    async def requeue(self, letter: DeadLetter) -> None:
        """Put a dead letter back into the queue that it was taken from."""
        self.broker.requeue(letter)

    async def close(self) -> None:
        """Cancel all subscriptions of this connection."""
        self._closed = True
        for subscription in self._subscriptions:
            await subscription.cancel()
        self._subscriptions.clear()
