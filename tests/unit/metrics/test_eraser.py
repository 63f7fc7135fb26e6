"""What is left of experiments that were deleted: nothing, in the end."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from etude.bus import MemoryBroker, MemoryBus
from etude.bus.topology import janitor
from etude.events import (
    AllocationStarted,
    CheckpointDeleted,
    CheckpointDiscarded,
    CheckpointSaved,
    Envelope,
    Event,
    ExperimentDeleted,
    Length,
    LogLine,
    LogWritten,
    TrialRequested,
)
from etude.store import SqliteStore
from etude.store.schema import CHECKPOINTS, COLLECTIONS, EXPERIMENT_VIEWS
from etude_metrics.eraser import Eraser
from etude_metrics.handlers import MetricsHandlers
from etude_metrics.stored_checkpoints import StoredCheckpoints
from tests.unit.make import NOW, created, envelope, save_checkpoint, validation

DELETED = ExperimentDeleted(revision=9)
WRITTEN = LogWritten(trial_id=1, lease_number=1, first=0, lines=[LogLine(time=NOW, stream="stdout", text="late")])


def saved(length: int) -> CheckpointSaved:
    return CheckpointSaved(trial_id=1, lease_number=1, uri=f"file:///{length}", length=Length.batches(length), files=[])


def cloned(source: str) -> TrialRequested:
    return TrialRequested(
        trial_id=7, hyperparameters={}, seed=1, slots=1, train_until=Length.batches(9), source_checkpoint=source
    )


class Installation:
    """What the metrics service is made of, and its clock."""

    def __init__(self, storage: Path) -> None:
        self.store = SqliteStore()
        self.broker = MemoryBroker()
        self.broker.declare(janitor())
        self.now: datetime = NOW
        self.handlers = MetricsHandlers(self.store, lambda: self.now)
        stored = StoredCheckpoints(self.store, f"file://{storage}")
        self.eraser = Eraser(self.store, MemoryBus(self.broker), lambda: self.now, stored)

    async def tell(self, *events: Event, experiment_id: str = "exp") -> None:
        await self.handlers.handle_events([envelope(event, experiment_id) for event in events])

    async def after(self, seconds: float) -> list[str]:
        """Erase some time later; which checkpoints are to be deleted."""
        self.now += timedelta(seconds=seconds)
        await self.eraser.erase()
        ready = self.broker.queues[janitor().name].ready
        told = [Envelope.parse(ready.popleft().body).data for _ in range(len(ready))]
        return [uri for event in told if isinstance(event, CheckpointDiscarded) for uri in event.uris]

    async def documents(self) -> dict[str, int]:
        counts = {c.name: await self.store.count(c, {}) for c in COLLECTIONS}
        return {name: count for name, count in counts.items() if count}


@pytest.fixture
async def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    await made.store.open()
    began = AllocationStarted(trial_id=1, lease_number=1, runner_id="a", slots=["0"])
    await made.tell(created(), validation(1, 100), began, saved(100), saved(200))
    await made.handlers.handle_telemetry([envelope(WRITTEN)])
    return made


async def test_nothing_is_left_but_a_tombstone_without_contents(installation: Installation) -> None:
    await installation.tell(DELETED)
    assert await installation.after(1) == ["file:///100", "file:///200"]
    await installation.tell(CheckpointDeleted(trial_id=1, uris=["file:///100", "file:///200"]))
    await installation.after(61)
    assert await installation.documents() == {"experiment_views": 1}
    [tombstone] = await installation.store.find(EXPERIMENT_VIEWS, {})
    assert (tombstone["state"], tombstone["config"], tombstone["model_definition"]) == ("deleted", None, None)


async def test_documents_of_checkpoints_stay_until_their_files_are_gone(installation: Installation) -> None:
    await installation.tell(DELETED)
    await installation.after(1)
    assert await installation.after(1) == [], "it is not yet time to ask again"
    await installation.tell(CheckpointDeleted(trial_id=1, uris=["file:///100"]))
    assert await installation.after(61) == ["file:///200"]
    [checkpoint] = await installation.store.find(CHECKPOINTS, {})
    assert checkpoint["uri"] == "file:///200"


async def test_checkpoints_that_nobody_told_of_go_with_the_others(installation: Installation, tmp_path: Path) -> None:
    lost = save_checkpoint(tmp_path, 1, 150)
    await installation.tell(DELETED)
    assert await installation.after(1) == ["file:///100", "file:///200", lost]


async def test_what_comes_late_is_taken_away_too(installation: Installation) -> None:
    await installation.tell(DELETED)
    await installation.after(1)
    await installation.tell(created(), validation(2, 100), saved(300))
    await installation.handlers.handle_telemetry([envelope(WRITTEN)])
    assert await installation.documents() == {"checkpoints": 3, "experiment_views": 1, "logs": 1}
    assert await installation.after(61) == ["file:///100", "file:///200", "file:///300"]
    assert "logs" not in await installation.documents()


async def test_a_batch_that_deletes_makes_nothing_besides(installation: Installation) -> None:
    await installation.tell(validation(3, 100), DELETED, validation(4, 100))
    await installation.after(1)
    assert await installation.documents() == {"checkpoints": 2, "experiment_views": 1}


async def test_a_checkpoint_from_which_another_trial_begins_is_kept_so_long(installation: Installation) -> None:
    await installation.tell(created(), cloned("file:///100"), experiment_id="other")
    await installation.tell(DELETED)
    assert await installation.after(1) == ["file:///200"]
    await installation.tell(saved(1).model_copy(update={"trial_id": 7}), experiment_id="other")
    assert await installation.after(61) == ["file:///100", "file:///200"]


async def test_in_the_end_nobody_looks_any_more(installation: Installation) -> None:
    await installation.tell(DELETED, CheckpointDeleted(trial_id=1, uris=["file:///100", "file:///200"]))
    for _ in range(30):
        await installation.after(24 * 3600)
    [tombstone] = await installation.store.find(EXPERIMENT_VIEWS, {})
    assert tombstone["erase_at"] is None


async def test_a_checkpoint_that_is_told_of_late_is_looked_after_at_once(installation: Installation) -> None:
    await installation.tell(DELETED)
    await installation.after(0)
    await installation.tell(CheckpointDeleted(trial_id=1, uris=["file:///100", "file:///200"]))
    for _ in range(5):
        await installation.after(8 * 86400)
    assert await installation.after(86400) == [], "it is looked at no more"
    await installation.tell(saved(300))
    assert await installation.after(1) == ["file:///300"]
