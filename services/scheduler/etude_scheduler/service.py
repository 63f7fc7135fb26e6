"""SchedulerService: the handlers of one pool on a bus, and their clockwork."""

import asyncio

from etude.bus import EventBus, Subscription
from etude.bus.topology import scheduler_pool
from etude.service.clock import Clock
from etude.service.runtime import every
from etude.store import DocumentStore
from etude_scheduler.handlers import SchedulerHandlers
from etude_scheduler.policies import Policy
from etude_scheduler.scheduler import Timing

_REPORT_SECONDS = 2.0


class SchedulerService:
    """Consumes the queue of one pool, of which the broker lets one consumer be active."""

    def __init__(
        self,
        bus: EventBus,
        store: DocumentStore,
        clock: Clock,
        pool: str = "default",
        timing: Timing | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._bus = bus
        self._pool = pool
        self.handlers = SchedulerHandlers(store, bus, clock, pool, timing, policy)
        self._subscription: Subscription | None = None
        self._clockwork: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to schedule."""
        handlers = self.handlers
        self._subscription = await self._bus.subscribe(scheduler_pool(self._pool), handlers.handle, handlers.forget)
        self._clockwork = [
            asyncio.create_task(every(1.0, handlers.tick)),
            asyncio.create_task(every(_REPORT_SECONDS, handlers.report)),
        ]

    async def close(self) -> None:
        """Stop scheduling; what is not acknowledged is taken in by somebody else."""
        for task in self._clockwork:
            task.cancel()
        await asyncio.gather(*self._clockwork, return_exceptions=True)
        if self._subscription is not None:
            await self._subscription.cancel()
