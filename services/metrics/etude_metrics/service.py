"""MetricsService: ingestion on a bus."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter

from etude.bus import EventBus, Subscription
from etude.bus.topology import metrics_events, metrics_telemetry
from etude.events import Envelope
from etude.store import DocumentStore
from etude_metrics.handlers import MetricsHandlers


class MetricsService:
    """Consumes everything, and counts it.

    Attributes
    ----------
    registry : figures for Prometheus
    """

    def __init__(self, bus: EventBus, store: DocumentStore) -> None:
        self._bus = bus
        self._handlers = MetricsHandlers(store)
        self._subscriptions: list[Subscription] = []
        self.registry = CollectorRegistry()
        self._ingested = Counter("etude_events_ingested", "Events taken in", ["type"], registry=self.registry)

    async def start(self) -> None:
        """Begin to ingest."""
        self._subscriptions = [
            await self._bus.subscribe(metrics_events(), self._events),
            await self._bus.subscribe(metrics_telemetry(), self._telemetry),
        ]

    async def close(self) -> None:
        """Stop ingesting."""
        for subscription in self._subscriptions:
            await subscription.cancel()

    async def _events(self, batch: Sequence[Envelope]) -> None:
        await self._handlers.handle_events(batch)
        self._count(batch)

    async def _telemetry(self, batch: Sequence[Envelope]) -> None:
        await self._handlers.handle_telemetry(batch)
        self._count(batch)

    def _count(self, batch: Sequence[Envelope]) -> None:
        for envelope in batch:
            self._ingested.labels(envelope.type).inc()
