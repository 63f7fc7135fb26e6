"""MetricsService: ingestion on a bus."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter

from etude.bus import DeadLetter, EventBus, Subscription
from etude.bus.topology import metrics_events, metrics_telemetry
from etude.events import Envelope
from etude.service.clock import Clock, utc_now
from etude.service.runtime import every
from etude.store import DocumentStore
from etude_metrics.dead_letters import DeadLetters
from etude_metrics.eraser import Eraser
from etude_metrics.handlers import MetricsHandlers
from etude_metrics.janitor import Janitor
from etude_metrics.reconciliation import Reconciliation
from etude_metrics.stored_checkpoints import Aside, StoredCheckpoints
from etude_metrics.upgrade import upgrade_views

_CLEAN_SECONDS = 5.0
_SHORTEST_GRACE = timedelta(seconds=10)  # in which events may be on their way


class MetricsService:
    """Consumes everything, and counts it.

    Attributes
    ----------
    registry : figures for Prometheus

    Parameters
    ----------
    storage : URL of the checkpoints of experiments that name no storage
    grace : for how long a checkpoint is kept after it is no longer the latest, and views may lack something
    aside : calls a function that reads the storage, meanwhile doing other things
    """

    def __init__(
        self,
        bus: EventBus,
        store: DocumentStore,
        storage: str,
        clock: Clock = utc_now,
        grace: timedelta = timedelta(seconds=60),
        aside: Aside = asyncio.to_thread,
    ) -> None:
        self._bus, self._store = bus, store
        self._handlers = MetricsHandlers(store, clock)
        self._janitor = Janitor(store, bus, clock, grace)
        stored = StoredCheckpoints(store, storage, aside)
        self._eraser = Eraser(store, bus, clock, stored, grace)
        self._reconciliation = Reconciliation(store, bus, clock, stored, max(grace, _SHORTEST_GRACE))
        self.dead_letters = DeadLetters(store, bus.requeue, clock)
        self._upgraded = False
        self._cleaning: asyncio.Task[None] | None = None
        self._subscriptions: list[Subscription] = []
        self.registry = CollectorRegistry()
        self._dead = Counter("etude_dead_letters", "Events that could not be processed", registry=self.registry)
        self._ingested = Counter("etude_events_ingested", "Events taken in", ["type"], registry=self.registry)

    async def start(self) -> None:
        """Begin to ingest."""
        self._subscriptions = [
            await self._bus.subscribe(metrics_events(), self._events, self._reconciliation.doubt),
            await self._bus.subscribe(metrics_telemetry(), self._telemetry),
            await self._bus.subscribe_dead_letters(self._letters),
        ]
        self._cleaning = asyncio.create_task(every(_CLEAN_SECONDS, self.clean, first_after=0.0))

    async def close(self) -> None:
        """Stop ingesting."""
        if self._cleaning is not None:
            self._cleaning.cancel()
            await asyncio.gather(self._cleaning, return_exceptions=True)
        for subscription in self._subscriptions:
            await subscription.cancel()

    async def clean(self) -> None:
        if not self._upgraded:
            await upgrade_views(self._store)
            self._upgraded = True
        await self._janitor.clean()
        await self._eraser.erase()
        await self._reconciliation.reconcile()

    async def _letters(self, letters: Sequence[DeadLetter]) -> None:
        await self.dead_letters.keep(letters)
        self._dead.inc(len(letters))

    async def _events(self, batch: Sequence[Envelope]) -> None:
        await self._handlers.handle_events(batch)
        of_experiments = [envelope for envelope in batch if envelope.experimentid]
        self._janitor.notice(of_experiments)
        self._reconciliation.notice(of_experiments)
        self._count(batch)

    async def _telemetry(self, batch: Sequence[Envelope]) -> None:
        await self._handlers.handle_telemetry(batch)
        self._count(batch)

    def _count(self, batch: Sequence[Envelope]) -> None:
        for envelope in batch:
            self._ingested.labels(envelope.type).inc()
