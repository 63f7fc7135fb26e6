"""SearcherService: the handlers of all partitions on a bus."""

import asyncio

from etude.bus import EventBus, Subscription
from etude.bus.topology import PARTITIONS, searcher_partition
from etude.service.clock import Clock
from etude.service.runtime import every
from etude.store import DocumentStore
from etude_searcher.handlers import SearchHandlers


class SearcherService:
    """Consumes every partition; the broker sees to it that each has one active consumer.

    Parameters
    ----------
    repair_seconds : how often what should be is told again
    """

    def __init__(self, bus: EventBus, store: DocumentStore, clock: Clock, repair_seconds: float = 300.0) -> None:
        self._bus = bus
        self._repair_seconds = repair_seconds
        self.partitions = [SearchHandlers(store, bus, clock) for _ in range(PARTITIONS)]
        self._reader = SearchHandlers(store, bus, clock)
        self._subscriptions: list[Subscription] = []
        self._repairs: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to decide."""
        for number, handlers in enumerate(self.partitions):
            queue = searcher_partition(number)
            self._subscriptions.append(await self._bus.subscribe(queue, handlers.handle, handlers.forget))
        self._repairs = asyncio.create_task(every(self._repair_seconds, self._reader.repair, first_after=0.0))

    async def retell(self, experiment_id: str) -> None:
        """Publish all that an experiment's log holds, for those who lost it."""
        await self._reader.retell(experiment_id)

    async def close(self) -> None:
        """Stop deciding; what is not acknowledged is decided by somebody else."""
        if self._repairs is not None:
            self._repairs.cancel()
            await asyncio.gather(self._repairs, return_exceptions=True)
        for subscription in self._subscriptions:
            await subscription.cancel()
        self._subscriptions.clear()
