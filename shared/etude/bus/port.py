"""EventBus: the port that services publish to and consume from."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from etude.bus.topology import Queue
from etude.events import Envelope

Handler = Callable[[Sequence[Envelope]], Awaitable[None]]
"""Takes what is waiting, in order. Returning acknowledges all of it; raising gives it back."""

BATCH = 256
"""The most events that a handler is given at a time."""

REFUSAL_LIMIT = 20
"""How often a handler may fail on an event before the event is a dead letter."""


@dataclass(frozen=True)
class DeadLetter:
    """What could not be processed: its body, the queue it was taken from, and why."""

    queue: str
    body: bytes
    reason: str

    @property
    def id(self) -> str:
        """The same for the same body from the same queue."""
        return hashlib.sha256(self.queue.encode() + b"\0" + self.body).hexdigest()[:16]


LetterHandler = Callable[[Sequence[DeadLetter]], Awaitable[None]]
"""Stores dead letters. Returning acknowledges all of them; raising gives them back."""


class Subscription(Protocol):
    """One consumer of one queue."""

    async def consumers(self) -> int:
        """How many consumers the queue has, this one and those on other connections; standbys may not be counted."""

    async def cancel(self) -> None:
        """Stop consuming; what was not acknowledged goes back to the queue."""


class EventBus(Protocol):
    """A connection to the broker.

    A handler that raises gives its batch back; events of a failed batch are then tried one by one, so that a poisonous
    one harms only itself: after the handler failed on it ``REFUSAL_LIMIT`` times it goes to the dead letters. Lost
    connections, restarts and waiting count for nothing. A handler that raises :class:`~etude.errors.Unavailable` keeps
    its batch, which is tried again until it works; one that raises :class:`~etude.errors.Unacceptable` or EventError
    for a single event sends it to the dead letters at once.
    """

    async def publish(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        """Publish and wait until the broker holds everything; returns the events that no queue wanted."""

    async def subscribe(
        self, queue: Queue, handler: Handler, on_lost: Callable[[], None] | None = None
    ) -> Subscription:
        """Consume a queue until cancelled.

        ``on_lost`` is called whenever the consumer may have missed its turn (connection lost, another consumer took
        over): whatever state the handler keeps must then be dropped.
        """

    async def subscribe_dead_letters(self, handler: LetterHandler) -> Subscription:
        """Consume the dead letters of all queues until cancelled."""

    async def requeue(self, letter: DeadLetter) -> None:
        """Put a dead letter back into the queue that it was taken from.

        Raises
        ------
        UnknownQueueError
            There is no such queue (any more).
        """

    async def close(self) -> None:
        """Close the connection; unacknowledged events go back to their queues."""
