"""What lacks something for too long is asked about, announced again, or ended."""

from datetime import datetime, timedelta

import pytest

from etude.bus import MemoryBroker, MemoryBus
from etude.bus.topology import metrics_events, partition_of, searcher_partition
from etude.events import (
    AllocationEnded,
    AllocationStarted,
    CheckpointSaved,
    CloseReason,
    EndReason,
    Envelope,
    Event,
    ExperimentActivated,
    ExperimentCanceled,
    ExperimentCreated,
    ExperimentDeleted,
    ExperimentPaused,
    ExperimentResyncRequested,
    Length,
    TrialClosed,
    ValidationCompleted,
)
from etude.store import Document, SqliteStore
from etude.store.schema import ALLOCATIONS, EXPERIMENT_VIEWS, EXPERIMENTS, SEARCH_LOG
from etude_metrics.handlers import MetricsHandlers
from etude_metrics.reconciliation import Reconciliation
from etude_metrics.stored_checkpoints import StoredCheckpoints
from tests.unit.make import MODEL, NOW, created, envelope, raw_config, validation


class Installation:
    """What the metrics service is made of, and its clock."""

    def __init__(self) -> None:
        self.store = SqliteStore()
        self.broker = MemoryBroker()
        self.now: datetime = NOW
        self.handlers = MetricsHandlers(self.store, lambda: self.now)
        self.broker.declare(metrics_events())
        self.reconciliation = self.start()
        self.unheard_of: list[CheckpointSaved] = []

    def start(self) -> Reconciliation:
        return Reconciliation(self.store, MemoryBus(self.broker), lambda: self.now, self._stored_checkpoints())

    def _stored_checkpoints(self) -> StoredCheckpoints:
        installation = self

        class Found(StoredCheckpoints):
            async def unheard_of(self, view: Document) -> list[CheckpointSaved]:
                return installation.unheard_of

        return Found(self.store, "")

    async def tell(self, *events: Event) -> None:
        batch = [envelope(event, "exp") for event in events]
        await self.handlers.handle_events(batch)
        self.reconciliation.notice(batch)

    async def announced(self, seconds: float) -> list[Event]:
        """Checkpoints that this service itself tells of some time later."""
        await self.after(seconds)
        ready = self.broker.queues[metrics_events().name].ready
        told = [Envelope.parse(ready.popleft().body).data for _ in range(len(ready))]
        return [event for event in told if isinstance(event, CheckpointSaved)]

    async def after(self, seconds: float) -> list[Event]:
        """What the searcher is told some time later."""
        self.now += timedelta(seconds=seconds)
        await self.reconciliation.reconcile()
        ready = self.broker.queues[searcher_partition(partition_of("exp")).name].ready
        return [Envelope.parse(ready.popleft().body).data for _ in range(len(ready))]

    async def allocations(self) -> dict[int, str | None]:
        found = await self.store.find(ALLOCATIONS, {"experiment_id": "exp"})
        return {document["lease_number"]: document["reason"] for document in found}

    async def version(self) -> int:
        [view] = await self.store.get(EXPERIMENT_VIEWS, ["exp"])
        return int(view["version"])


@pytest.fixture
async def installation() -> Installation:
    made = Installation()
    await made.store.open()
    return made


def started(lease_number: int) -> AllocationStarted:
    return AllocationStarted(runner_id="gpu", trial_id=1, lease_number=lease_number)


async def test_an_experiment_that_only_a_stray_event_made_is_asked_about(installation: Installation) -> None:
    await installation.tell(started(1))
    assert await installation.after(59) == []
    assert await installation.after(2) == [ExperimentResyncRequested(requested_by="metrics")]
    await installation.tell(ExperimentDeleted(revision=0))
    assert await installation.after(4000) == []


async def test_it_is_asked_ever_less_often(installation: Installation) -> None:
    await installation.tell(started(1))
    asked = [bool(await installation.after(60)) for _ in range(16)]
    assert [number for number, is_asked in enumerate(asked) if is_asked] == [0, 1, 3, 7, 15]


async def test_an_experiment_that_no_decision_followed_is_announced_again(installation: Installation) -> None:
    await installation.tell(created())
    assert await installation.after(59) == []
    assert await installation.after(2) == [created()]
    await installation.tell(ExperimentActivated(revision=0, config=raw_config(), model_definition=MODEL))
    assert await installation.after(4000) == []


async def test_of_a_search_that_is_known_nobody_is_asked(installation: Installation) -> None:
    active = ExperimentActivated(revision=0, config=raw_config(), model_definition=MODEL)
    await installation.tell(created(), active, ExperimentPaused(revision=3))
    assert await installation.after(4000) == []


async def test_an_allocation_whose_trial_has_a_later_one_is_lost(installation: Installation) -> None:
    await installation.tell(created(), started(1))
    await installation.after(0)
    assert await installation.allocations() == {1: None}
    await installation.tell(started(2))
    await installation.after(61)
    assert await installation.allocations() == {1: "lost", 2: None}


async def test_an_allocation_of_a_trial_that_is_over_is_lost(installation: Installation) -> None:
    await installation.tell(created(), started(1), TrialClosed(trial_id=1, reason=CloseReason.CANCELED))
    await installation.after(0)
    assert await installation.allocations() == {1: None}  # its runner may be about to say so
    before = await installation.version()
    await installation.after(61)
    assert await installation.allocations() == {1: "lost"}
    assert await installation.version() > before, "what shows allocations is to be made anew"


async def test_an_end_that_is_reported_late_counts(installation: Installation) -> None:
    await installation.tell(created(), started(1), started(2))
    await installation.after(61)
    await installation.tell(AllocationEnded(runner_id="gpu", trial_id=1, lease_number=1, reason=EndReason.FINISHED))
    assert await installation.allocations() == {1: "finished", 2: None}


async def test_a_report_that_was_lost_on_its_way_is_asked_for_after_a_start_and_each_doubt(
    installation: Installation,
) -> None:
    active = ExperimentActivated(revision=0, config=raw_config(), model_definition=MODEL)
    await installation.tell(created(), active)
    document = {"_id": "exp", "state": "active", "pool": "default", "seq": 2, "changed_at": NOW.isoformat()}
    await installation.store.put(EXPERIMENTS, [document])
    assert await installation.after(61) == []
    cause = {"type": ValidationCompleted.type, "data": validation(1, 4).to_json()}
    await installation.store.put(
        SEARCH_LOG, [{"_id": "exp:1", "experiment_id": "exp", "seq": 1, "cause": cause, "events": []}]
    )
    assert await installation.after(3600) == [], "nothing made it doubt"
    installation.reconciliation.doubt()
    assert await installation.after(59) == [], "it may be on its way"
    asked = [bool(await installation.after(61)) for _ in range(7)]
    assert asked == [True, True, False, True, False, False, False], "ever less often"
    await installation.tell(validation(1, 4))
    assert await installation.after(3600) == []


async def test_checkpoints_that_nobody_told_of_are_looked_for_once_an_experiment_has_ended(
    installation: Installation,
) -> None:
    lost = CheckpointSaved(trial_id=1, lease_number=1, uri="file:///2", length=Length.batches(2), files=[])
    active = ExperimentActivated(revision=0, config=raw_config(), model_definition=MODEL)
    await installation.tell(created(), active)
    installation.unheard_of = [lost]
    assert await installation.announced(3600) == [], "it may be about to be reported"
    await installation.tell(ExperimentCanceled(revision=3))
    assert await installation.announced(59) == [], "it may be on its way"
    assert await installation.announced(1) == [lost]
    assert await installation.announced(3600) == [], "once is enough"
    installation.reconciliation.doubt()
    assert await installation.announced(60) == [lost], "it came from a runner that was away, and was lost again"
    installation.reconciliation = installation.start()
    assert await installation.announced(60) == [lost], "the service was killed before it had looked"


async def test_of_a_rejected_or_unknown_experiment_no_checkpoints_are_looked_for(installation: Installation) -> None:
    installation.unheard_of = [
        CheckpointSaved(trial_id=1, lease_number=1, uri="file:///2", length=Length.batches(2), files=[])
    ]
    await installation.tell(ExperimentCanceled(revision=3))
    assert await installation.announced(60) == []


def test_what_is_announced_again_is_what_was_announced() -> None:
    assert set(ExperimentCreated.model_fields) == {"config", "model_definition", "seed", "owner"}
