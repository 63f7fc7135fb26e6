"""SearcherService: the handlers of all partitions on a bus."""

import asyncio
import math
from collections.abc import Sequence

import structlog

from etude.bus import EventBus, Subscription
from etude.bus.topology import PARTITIONS, searcher_partition, searcher_roster
from etude.events import Envelope
from etude.service.clock import Clock
from etude.service.runtime import every
from etude.store import DocumentStore
from etude_searcher.handlers import SearchHandlers

log = structlog.get_logger("etude.searcher")


class SearcherService:
    """Consumes every partition; the broker sees to it that each has one active consumer.

    Parameters
    ----------
    repair_seconds : how often what should be is told again
    balance_seconds : how often partitions beyond this instance's share are given up
    """

    def __init__(
        self,
        bus: EventBus,
        store: DocumentStore,
        clock: Clock,
        repair_seconds: float = 300.0,
        balance_seconds: float = 30.0,
    ) -> None:
        self._bus = bus
        self._repair_seconds = repair_seconds
        self._balance_seconds = balance_seconds
        self.partitions = [SearchHandlers(store, bus, clock) for _ in range(PARTITIONS)]
        self._reader = SearchHandlers(store, bus, clock)
        self._subscriptions: list[Subscription] = []
        self._clockwork: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to decide."""
        self._roster = await self._bus.subscribe(searcher_roster(), _nothing)
        self._subscriptions = [await self._subscribe(number) for number in range(PARTITIONS)]
        self._clockwork = [
            asyncio.create_task(every(self._repair_seconds, self._reader.repair, first_after=0.0)),
            asyncio.create_task(every(self._balance_seconds, self.balance)),
            asyncio.create_task(every(1.0, self._break_silences)),
        ]

    async def balance(self) -> None:
        """Give up partitions beyond our share; the broker hands each to the next instance in line.

        The first of several instances would otherwise decide for all experiments. Of a partition in which nothing
        happens nobody knows who holds it, and it does not matter.
        """
        instances = await self._roster.consumers()
        held = [number for number, handlers in enumerate(self.partitions) if handlers.busy]
        for number in held[math.ceil(PARTITIONS / max(instances, 1)) :]:
            log.info("giving up a partition, to share the work", partition=number, instances=instances)
            await self._subscriptions[number].cancel()
            self._subscriptions[number] = await self._subscribe(number)

    async def _break_silences(self) -> None:
        for handlers in self.partitions:
            await handlers.break_silences()

    async def retell(self, experiment_id: str) -> None:
        """Publish all that an experiment's log holds, for those who lost it."""
        await self._reader.retell(experiment_id)

    async def close(self) -> None:
        """Stop deciding; what is not acknowledged is decided by somebody else."""
        for task in self._clockwork:
            task.cancel()
        await asyncio.gather(*self._clockwork, return_exceptions=True)
        for subscription in (self._roster, *self._subscriptions):
            await subscription.cancel()
        self._subscriptions.clear()

    async def _subscribe(self, number: int) -> Subscription:
        handlers = self.partitions[number]
        return await self._bus.subscribe(searcher_partition(number), handlers.handle, handlers.forget)


async def _nothing(batch: Sequence[Envelope]) -> None:
    """What comes through the roster: nothing is routed there."""
