"""EventBus: the port that services publish to and consume from."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from etude.bus.topology import Queue
from etude.events import Envelope

Handler = Callable[[Sequence[Envelope]], Awaitable[None]]
"""Takes what is waiting, in order. Returning acknowledges all of it; raising gives it back."""

BATCH = 256
"""The most events that a handler is given at a time."""


class Subscription(Protocol):
    """One consumer of one queue."""

    async def consumers(self) -> int:
        """How many consumers the queue has, this one and those on other connections; standbys may not be counted."""

    async def cancel(self) -> None:
        """Stop consuming; what was not acknowledged goes back to the queue."""


class EventBus(Protocol):
    """A connection to the broker.

    A handler that raises gives its batch back; events of a failed batch are then tried one by one, so that a poisonous
    one harms only itself: after ``DELIVERY_LIMIT`` deliveries it goes to the dead-letter queue. A handler that
    raises :class:`~etude.errors.Unavailable` keeps its batch, which is tried again until it works; one that raises
    :class:`~etude.errors.Unacceptable` or EventError for a single event sends it to the dead-letter queue at once.
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

    async def close(self) -> None:
        """Close the connection; unacknowledged events go back to their queues."""
