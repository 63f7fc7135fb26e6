"""The metrics service's shell: load views, bring them up to date, store; returning acknowledges."""

from collections.abc import Sequence

from etude.events import (
    AllocationEnded,
    AllocationStarted,
    CheckpointDeleted,
    CheckpointSaved,
    Envelope,
    LogWritten,
    PoolReported,
    RunnerLogged,
    TrainingReported,
    ValidationCompleted,
)
from etude.service.clock import Clock, utc_now
from etude.store import Document, DocumentStore
from etude.store.schema import (
    ALLOCATIONS,
    CHECKPOINTS,
    EXPERIMENT_VIEWS,
    LOGS,
    POOLS,
    RUNNER_LOGS,
    TRAINING_POINTS,
    TRIAL_VIEWS,
    VALIDATIONS,
    Collection,
)
from etude_metrics.views import (
    DELETED,
    better,
    count_before_first_result,
    json_metrics,
    new_allocation,
    new_experiment,
    new_trial,
    tell_allocation,
    tell_experiment,
    tell_trial,
    validation_document,
    validation_id,
)

_JOURNALS_KEPT = 1000
"""Documents of a runner's own log."""


class MetricsHandlers:
    """Keeps what happened. Holds nothing in memory between two batches, so there is nothing to lose."""

    def __init__(self, store: DocumentStore, clock: Clock = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def handle_events(self, batch: Sequence[Envelope]) -> None:
        """Bring the views up to date with a batch of decisions and reports."""
        await self._keep_pools(batch)
        told = [envelope for envelope in batch if envelope.experimentid]
        if not told:
            return
        experiments = await self._load_experiments(told)
        trials = await self._load_trials(told)
        validations = await self._load_validations(told)
        allocations = await self._load_allocations(told)
        new: list[Document] = []
        checkpoints: list[Document] = []
        deleted: list[str] = []
        for envelope in told:
            experiment, event = experiments[envelope.experiment], envelope.data
            tell_experiment(experiment, envelope)
            match event:
                case CheckpointSaved():
                    checkpoints.append(_checkpoint_document(envelope.experiment, event, envelope.time.isoformat()))
                case CheckpointDeleted():
                    deleted += event.uris
            if experiment["state"] == DELETED:  # of checkpoints alone there are still files
                if isinstance(event, CheckpointSaved):  # late, or told once more by a runner that was away
                    experiment["erase_at"] = self._clock().isoformat()
                continue
            if trial := trials.get((envelope.experiment, getattr(event, "trial_id", 0))):
                tell_trial(trial, envelope, experiment)
                count_before_first_result(experiment, trial)
            if allocation := allocations.get(allocation_id(envelope)):
                tell_allocation(allocation, envelope)
            match event:
                case ValidationCompleted():
                    known = validations.get(validation_id(envelope.experiment, event))
                    if known is None:
                        document = validation_document(envelope, experiment["validations"], experiment)
                        experiment["validations"] += 1
                        validations[document["_id"]] = document
                        new.append(document)
                    else:
                        _catch_up(experiment, known)
        self._number(experiments, trials)
        there = {experiment_id for experiment_id, view in experiments.items() if view["state"] != DELETED}
        await self._put(VALIDATIONS, [document for document in new if document["experiment_id"] in there])
        await self._put(ALLOCATIONS, [made for made in allocations.values() if made["experiment_id"] in there])
        await self._put(CHECKPOINTS, await self._not_deleted(checkpoints))
        gone = await self._store.get(CHECKPOINTS, deleted)
        await self._put(CHECKPOINTS, [{**checkpoint, "deleted": True} for checkpoint in gone])
        await self._put(TRIAL_VIEWS, [trial for trial in trials.values() if trial["experiment_id"] in there])
        await self._put(EXPERIMENT_VIEWS, list(experiments.values()))

    async def _not_deleted(self, checkpoints: list[Document]) -> list[Document]:
        """Without those of which it was heard before, and since then that they are deleted."""
        known = await self._store.get(CHECKPOINTS, [document["_id"] for document in checkpoints])
        deleted = {document["_id"] for document in known if document.get("deleted")}
        return [document for document in checkpoints if document["_id"] not in deleted]

    def _number(self, experiments: dict[str, Document], trials: dict[tuple[str, int], Document]) -> None:
        """Give all that changed a higher version, by which others see that it did. A clock makes nearly all of it."""
        now = int(self._clock().timestamp() * 1e6)
        for experiment in experiments.values():
            experiment["version"] = max(now, experiment["version"] + 1)
        for (experiment_id, _), trial in trials.items():
            trial["version"] = experiments[experiment_id]["version"]

    async def handle_telemetry(self, batch: Sequence[Envelope]) -> None:
        """Keep training metrics and logs."""
        points: list[Document] = []
        logs: list[Document] = []
        journals: dict[str, Document] = {}
        for envelope in batch:
            match envelope.data:
                case TrainingReported() as event if event.points:
                    points.append(_points_document(envelope.experiment, event))
                case LogWritten() as event if event.lines:
                    logs.append(_log_document(envelope.experiment, event))
                case RunnerLogged() as event:
                    journal = _journal_document(event)
                    journals[journal["_id"]] = journal
        await self._put(TRAINING_POINTS, points)
        await self._put(LOGS, logs)
        if journals:
            await self._store.put_latest(RUNNER_LOGS, list(journals.values()), "order")

    async def _keep_pools(self, batch: Sequence[Envelope]) -> None:
        pools = {
            envelope.data.pool: {
                "_id": envelope.data.pool,
                "time": envelope.time.isoformat(),
                **envelope.data.to_json(),
            }
            for envelope in sorted(batch, key=lambda envelope: envelope.time)
            if isinstance(envelope.data, PoolReported)
        }
        if pools:
            await self._store.put_latest(POOLS, list(pools.values()), "time")

    async def _put(self, collection: Collection, documents: list[Document]) -> None:
        if documents:
            await self._store.put(collection, documents)

    async def _load_experiments(self, batch: Sequence[Envelope]) -> dict[str, Document]:
        ids = sorted({envelope.experiment for envelope in batch})
        known = {document["_id"]: document for document in await self._store.get(EXPERIMENT_VIEWS, ids)}
        return {id_: {**new_experiment(id_), **known.get(id_, {})} for id_ in ids}

    async def _load_trials(self, batch: Sequence[Envelope]) -> dict[tuple[str, int], Document]:
        keys = sorted({(e.experiment, t) for e in batch if (t := getattr(e.data, "trial_id", None)) is not None})
        ids = [f"{experiment_id}/{trial_id}" for experiment_id, trial_id in keys]
        known = {document["_id"]: document for document in await self._store.get(TRIAL_VIEWS, ids)}
        return {key: {**new_trial(*key), **known.get(f"{key[0]}/{key[1]}", {})} for key in keys}

    async def _load_allocations(self, batch: Sequence[Envelope]) -> dict[str, Document]:
        made = {key: new for envelope in batch if (key := allocation_id(envelope)) and (new := _allocation(envelope))}
        known = {document["_id"]: document for document in await self._store.get(ALLOCATIONS, sorted(made))}
        return {**made, **known}

    async def _load_validations(self, batch: Sequence[Envelope]) -> dict[str, Document]:
        ids = sorted({validation_id(e.experiment, e.data) for e in batch if isinstance(e.data, ValidationCompleted)})
        return {document["_id"]: document for document in await self._store.get(VALIDATIONS, ids)}


def allocation_id(envelope: Envelope) -> str:
    """That of the allocation which an event is about; empty if it is about none."""
    made = _allocation(envelope)
    return str(made["_id"]) if made else ""


def _allocation(envelope: Envelope) -> Document | None:
    if not isinstance(event := envelope.data, AllocationStarted | AllocationEnded):
        return None
    return new_allocation(envelope.experiment, event.trial_id, event.lease_number, event.runner_id)


def _catch_up(experiment: Document, validation: Document) -> None:
    """A validation that was stored before the experiment's view was: a crash came between."""
    experiment["validations"] = max(experiment["validations"], validation["order"] + 1)
    value = validation["metrics"].get(experiment["metric"] or "")
    if better(value, experiment["best_seen"], experiment["smaller_is_better"]):
        experiment["best_seen"] = value


def _checkpoint_document(experiment_id: str, event: CheckpointSaved, time: str) -> Document:
    return {
        "_id": event.uri,
        "experiment_id": experiment_id,
        "trial_id": event.trial_id,
        "lease_number": event.lease_number,
        "order": _order(event.lease_number, event.length.amount),
        "length": event.length.amount,
        "unit": event.length.unit.value,
        "uri": event.uri,
        "size": sum(file.size for file in event.files),
        "files": [file.to_json() for file in event.files],
        "time": time,
        "deleted": False,
    }


def _points_document(experiment_id: str, event: TrainingReported) -> Document:
    order = _order(event.lease_number, event.points[0].length.amount)
    return {
        "_id": f"{experiment_id}/{event.trial_id}/{order}",
        "experiment_id": experiment_id,
        "trial_id": event.trial_id,
        "order": order,
        "points": [
            {
                "lease_number": event.lease_number,
                "length": point.length.amount,
                "unit": point.length.unit.value,
                "metrics": json_metrics(point.metrics),
                "time": point.time.isoformat(),
            }
            for point in event.points
        ],
    }


def _log_document(experiment_id: str, event: LogWritten) -> Document:
    order = f"{_order(event.lease_number, event.first)}/{event.first_rank:06d}"
    return {
        "_id": f"{experiment_id}/{event.trial_id}/{order}",
        "experiment_id": experiment_id,
        "trial_id": event.trial_id,
        "order": order,
        "at": f"{event.lines[0].time.isoformat()}/{event.trial_id:09d}/{order}",  # among those of all trials
        "lines": [
            {
                "lease_number": event.lease_number,
                "number": event.first + index,
                "time": line.time.isoformat(),
                "stream": line.stream,
                "rank": line.rank,
                "text": line.text,
            }
            for index, line in enumerate(event.lines)
        ],
    }


def _journal_document(event: RunnerLogged) -> Document:
    """One of so many documents of a runner, the oldest of which makes room for the next."""
    return {
        "_id": f"{event.runner_id}/{event.number % _JOURNALS_KEPT:04d}",
        "runner_id": event.runner_id,
        "order": f"{event.session}/{event.number:012d}",
        "lines": [{"time": line.time.isoformat(), "level": line.level, "text": line.text} for line in event.lines],
    }


def _order(lease_number: int, number: int) -> str:
    """Sorts by lease, then by number."""
    return f"{lease_number:08d}/{number:014d}"
