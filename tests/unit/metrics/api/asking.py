"""Asking the application over a store that a test fills."""

from collections.abc import Sequence
from pathlib import Path

import httpx
from prometheus_client import CollectorRegistry, Counter

from etude.events import Envelope, Event, Length, TrialRequested
from etude.store import SqliteStore
from etude_metrics.api.access import Access
from etude_metrics.api.app import create_app
from etude_metrics.api.known import Known
from etude_metrics.api.queries import Queries
from etude_metrics.api.table import TrialTables
from etude_metrics.handlers import MetricsHandlers
from tests.unit.make import NOW, envelope


class Api:
    """The application over a store that a test fills."""

    def __init__(self, storage: Path, access: Access | None = None) -> None:
        self.store = SqliteStore()
        self.handlers = MetricsHandlers(self.store)
        self.queries = Queries(self.store)
        self.known = Known(self.queries, TrialTables(self.store))
        self.missing: str | None = None
        registry = CollectorRegistry()
        Counter("etude_events_ingested", "Events taken in", registry=registry).inc(3)
        self.published: list[Envelope] = []
        self.unwanted = False
        self.now = NOW
        app = create_app(
            self.store,
            self.ready,
            registry,
            self.publish,
            f"file://{storage}",
            lambda: self.now,
            access or Access(),
        )
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")

    async def publish(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        if self.unwanted:
            return list(envelopes)
        self.published += envelopes
        return []

    async def ready(self) -> str | None:
        return self.missing

    async def tell(self, *events: Event, experiment_id: str = "exp", seconds: float = 0.0) -> None:
        """Something happened."""
        await self.handlers.handle_events([envelope(event, experiment_id, seconds) for event in events])

    async def get(self, path: str, status: int = 200, **query: object) -> dict:
        """The answer to a question."""
        answer = await self.http.get(f"/api/v1{path}", params=query)  # type: ignore[arg-type]
        assert answer.status_code == status, answer.text
        return dict(answer.json())


def requested(trial_id: int) -> TrialRequested:
    return TrialRequested(
        trial_id=trial_id, hyperparameters={"rate": 0.1}, seed=1, slots=1, train_until=Length.batches(100)
    )


async def pages(api: Api, path: str, limit: int, **query: object) -> list[list[dict]]:
    """All pages of a list."""
    found, cursor = [], None
    while True:
        page = await api.get(path, limit=limit, **({"cursor": cursor} if cursor else {}), **query)
        found.append(page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            return found
