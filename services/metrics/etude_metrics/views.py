"""Views: experiments and trials as they are queried, brought up to date event by event. Pure.

Events may come twice and out of order: every change is one that can be made again, and of two states the later one
holds.
"""

import math
from typing import Any

from etude.document_version import VERSION_FIELD
from etude.events import (
    AllocationEnded,
    AllocationStarted,
    CheckpointSaved,
    CloseReason,
    EndReason,
    Envelope,
    ExperimentActivated,
    ExperimentArchiveRequested,
    ExperimentCanceled,
    ExperimentChangeRefused,
    ExperimentCompleted,
    ExperimentCreated,
    ExperimentDeleted,
    ExperimentFailed,
    ExperimentPaused,
    ExperimentProgressed,
    ExperimentRejected,
    TrialClosed,
    TrialContinued,
    TrialExited,
    TrialPaused,
    TrialProgressed,
    TrialRequested,
    ValidationCompleted,
)
from etude.store import Document

_STATES = {
    ExperimentActivated: "active",
    ExperimentPaused: "paused",
    ExperimentCompleted: "completed",
    ExperimentFailed: "failed",
    ExperimentCanceled: "canceled",
}
DELETED = "deleted"
_STORAGE_FIELDS = frozenset(
    ("type", "host_path", "storage_path", "container_path", "bucket", "prefix", "container", "hdfs_url", "hdfs_path")
)
"""Fields of ``checkpoint_storage`` that say where it is. Others may be secrets."""
TRIAL_FORMAT = 2
"""Of the documents of trials. The second knows how far a trial was ``trained``."""
TRIAL_STATES = ("requested", "waiting", "running", "paused", *(reason.value for reason in CloseReason))
OVER = frozenset(reason.value for reason in CloseReason)
_EXTENSIBLE = (CloseReason.STOPPED.value, CloseReason.FINISHED.value)
_BEFORE_RESULT = 0.8
"""What a trial that is about to report its first result counts for, if one with a result counts for one."""
_LAST_PLACE = 1e308  # sorts after every result; JSON has no infinity


def new_experiment(experiment_id: str) -> Document:
    """An experiment of which nothing is known yet."""
    return {
        "_id": experiment_id,
        VERSION_FIELD: 1,
        "version": 0,  # rises with each change
        "order": None,  # unknown to lists until it is known when it was created
        "pool": "default",
        "name": "",
        "labels": [],
        "archived": False,
        "state": "created",
        "revision": -1,
        "progress": 0.0,
        "decided": 0.0,  # progress as the searcher reports it, which counts results
        "before_first_result": {},  # trials of which there is none yet: how much of its way there each has gone
        "trials": 0,
        "metric": None,
        "smaller_is_better": True,
        "best": None,
        "validations": 0,
        "best_seen": None,
        "reason": None,
        "refused": None,
        "refused_at": -1,  # the revision
        "errors": [],
        "config": None,
        "owner": "",
        "seed": None,
        "model_definition": None,
        "created_at": None,
        "ended_at": None,
    }


def tombstone(view: Document, envelope: Envelope) -> Document:
    """What is left of an experiment that was deleted: enough to know it by, and to erase the rest."""
    time = envelope.time.isoformat()
    storage = (view["config"] or {}).get("checkpoint_storage") or {}
    return {
        **new_experiment(view["_id"]),
        "version": view["version"],
        "state": DELETED,
        "ended_at": time,
        "pool": envelope.pool,
        "erase_at": time,
        "checkpoint_storage": {field: storage[field] for field in _STORAGE_FIELDS & storage.keys()},
    }


def new_trial(experiment_id: str, trial_id: int) -> Document:
    """A trial of which nothing is known yet."""
    return {
        "_id": f"{experiment_id}/{trial_id}",
        VERSION_FIELD: TRIAL_FORMAT,
        "experiment_id": experiment_id,
        "trial_id": trial_id,
        "version": 0,  # that of its experiment when it last changed
        "state": "requested",
        "hyperparameters": {},
        "bracket": 0,
        "rungs": [],
        "seed": None,
        "source": "",
        "target": None,
        "first_target": None,
        "paused_at": None,
        "trained": 0,
        "length": None,
        "metrics": None,
        "best": None,
        "standing": _LAST_PLACE,
        "attempt": 1,
        "restarts": 0,
        "exited": False,
        "lease_number": 0,
        "ended_lease": 0,
        "runner_id": None,
        "checkpoint": None,
        "close_reason": None,
        "detail": None,
        "log_tail": [],
        "requested_at": None,
        "ended_at": None,
    }


def tell_experiment(view: Document, envelope: Envelope) -> None:
    """Take over what an event says about an experiment."""
    event, time = envelope.data, envelope.time.isoformat()
    if view["state"] == DELETED:
        return
    view["pool"] = envelope.pool
    match event:
        case ExperimentDeleted():
            view.update(tombstone(view, envelope))
        case ExperimentCreated():
            _describe(view, event.config)
            view["owner"], view["seed"] = event.owner, event.seed
            view["model_definition"] = event.model_definition.to_json()
            view["created_at"] = time
            view["order"] = f"{time}/{view['_id']}"
        case ExperimentRejected():
            view["state"], view["revision"], view["ended_at"] = "rejected", 0, time
            view["errors"] = [error.to_json() for error in event.errors]
            view["reason"] = "; ".join(f"{error.path}: {error.message}" for error in event.errors)
        case ExperimentProgressed():
            view["decided"] = max(view["decided"], event.progress)
            view["progress"] = max(view["progress"], view["decided"])
            view["trials"] = max(view["trials"], event.trials)
            _keep_best(view, event.best, event.revision)
        case ExperimentActivated() | ExperimentPaused() if event.revision >= view["revision"]:
            view["state"], view["revision"], view["ended_at"] = _STATES[type(event)], event.revision, None
            view["reason"] = None
            if isinstance(event, ExperimentActivated):
                if event.revision > view["refused_at"]:
                    view["refused"] = None
                _describe(view, event.config)
                view["model_definition"] = event.model_definition.to_json()
                view["order"] = view["order"] or f"{time}/{view['_id']}"  # created before anyone listened
        case ExperimentArchiveRequested():
            view["archived"] = event.archived
        case ExperimentChangeRefused() if event.revision >= view["revision"]:
            view["refused"], view["refused_at"] = event.reason, event.revision
        case ExperimentCompleted() | ExperimentFailed() | ExperimentCanceled() if event.revision >= view["revision"]:
            view["state"], view["revision"] = _STATES[type(event)], event.revision
            view["ended_at"] = view["ended_at"] or time
            _keep_best(view, event.best, event.revision)
            if isinstance(event, ExperimentCompleted):
                view["progress"], view["trials"] = 1.0, event.trials
            if isinstance(event, ExperimentFailed):
                view["reason"] = event.reason


def tell_trial(view: Document, envelope: Envelope, experiment: Document) -> None:
    """Take over what an event says about a trial."""
    event, time = envelope.data, envelope.time.isoformat()
    attempt = getattr(event, "attempt", view["attempt"])
    if attempt < view["attempt"]:
        return
    if attempt > view["attempt"]:
        view.update(
            attempt=attempt, restarts=0, exited=False, close_reason=None, ended_at=None, detail=None, log_tail=[]
        )
    match event:
        case TrialRequested():
            view["hyperparameters"], view["seed"] = event.hyperparameters, event.seed
            view["source"] = event.source_checkpoint or ""
            view["bracket"], view["rungs"] = event.bracket, event.rungs
            _aim(view, event.train_until.model_dump(mode="json"), extended=view["requested_at"] is not None)
            view["first_target"] = view["first_target"] or event.train_until.amount
            view["requested_at"] = view["requested_at"] or time
        case TrialContinued():
            _aim(view, event.train_until.model_dump(mode="json"), extended=True)
        case TrialPaused():
            view["paused_at"] = max(view["paused_at"] or 0, event.length.amount)
        case TrialClosed() if not event.outdated(next(iter((view["target"] or {"": 0}).values()))):
            view["close_reason"] = event.reason.value
            view["detail"] = event.detail or view["detail"]
            view["ended_at"] = view["ended_at"] or time
        case TrialExited():
            view["exited"], view["restarts"] = True, event.restarts
            view["detail"], view["log_tail"] = event.detail, event.log_tail
        case AllocationStarted() if event.lease_number >= view["lease_number"]:
            if event.lease_number > view["lease_number"]:
                view["trained"] = kept_length(view)  # what an earlier lease trained beyond that is trained again
            view["lease_number"], view["runner_id"] = event.lease_number, event.runner_id
        case TrialProgressed() if event.lease_number >= view["lease_number"]:
            view["trained"] = max(view["trained"], event.length.amount)
        case AllocationEnded() if event.lease_number > view["ended_lease"]:
            view["ended_lease"] = event.lease_number
            if event.reason is EndReason.FAILED and not view["exited"]:
                view["restarts"] += 1
                view["detail"], view["log_tail"] = event.detail, event.log_tail
        case CheckpointSaved():
            length = event.length.amount
            if view["checkpoint"] is None or length >= view["checkpoint"]["length"]:
                view["checkpoint"] = {"uri": event.uri, "length": length}
        case ValidationCompleted():
            _validated(view, event, experiment)
    view["trained"] = max(view["trained"], kept_length(view))
    view["state"] = _state(view)


def kept_length(trial: Document) -> int:
    """How far a trial has come for good: its longest validation or checkpoint."""
    saved: int = trial["checkpoint"]["length"] if trial["checkpoint"] else 0
    return max(saved, trial["length"] or 0)


def count_before_first_result(experiment: Document, trial: Document) -> None:
    """Let progress grow while a trial is on the way to its first result, of which the searcher cannot know.

    Such a trial counts for less than one with a result, as long as it is known how many trials there will be.
    """
    under_way = experiment["before_first_result"]
    under_way.pop(str(trial["trial_id"]), None)
    target = trial["first_target"]
    if target and trial["trained"] and (trial["length"] or 0) < target and trial["close_reason"] is None:
        under_way[str(trial["trial_id"])] = min(trial["trained"] / target, 1.0)
    searcher = (experiment["config"] or {}).get("searcher") or {}
    if trials := searcher.get("max_trials") or (1 if searcher.get("name") == "single" else 0):
        reached = experiment["decided"] + _BEFORE_RESULT * sum(under_way.values()) / trials
        experiment["progress"] = min(max(experiment["progress"], reached), 1.0)


def new_allocation(experiment_id: str, trial_id: int, lease_number: int, runner_id: str) -> Document:
    """A runner's part of an allocation, of which nothing is known yet."""
    return {
        "_id": f"{experiment_id}/{trial_id}/{lease_number}/{runner_id}",
        "experiment_id": experiment_id,
        "trial_id": trial_id,
        "lease_number": lease_number,
        "runner_id": runner_id,
        "slots": [],
        "began": None,
        "order": "",
        "ended": None,
        "reason": None,
        "detail": "",
    }


def tell_allocation(document: Document, envelope: Envelope) -> None:
    """Take over what a runner says about its part of an allocation."""
    event, time = envelope.data, envelope.time.isoformat()
    document["began"] = document["began"] or time  # if it is an end: it did not even start
    document["order"] = f"{document['began']}/{document['_id']}"
    match event:
        case AllocationStarted():
            document["slots"] = event.slots
        case AllocationEnded():
            document["ended"], document["reason"] = time, event.reason.value
            document["detail"] = event.detail


def validation_document(envelope: Envelope, order: int, experiment: Document) -> Document:
    """A validation as it is queried; brings the experiment's best-seen up to date."""
    event = envelope.data
    assert isinstance(event, ValidationCompleted)
    value = event.metrics.get(experiment["metric"] or "")
    improves = better(value, experiment["best_seen"], experiment["smaller_is_better"])
    if improves:
        experiment["best_seen"] = value
    return {
        "_id": validation_id(envelope.experiment, event),
        "experiment_id": envelope.experiment,
        "trial_id": event.trial_id,
        "lease_number": event.lease_number,
        "order": order,
        "improves": improves,
        "length": event.length.amount,
        "unit": event.length.unit.value,
        "metrics": json_metrics(event.metrics),
        "checkpoint": event.checkpoint.uri if event.checkpoint else None,
        "seconds": event.seconds,
        "time": envelope.time.isoformat(),
    }


def validation_id(experiment_id: str, event: ValidationCompleted) -> str:
    """One document for a trial and length: of two reports the first counts, as it does for the search."""
    return f"{experiment_id}/{event.trial_id}/{event.length.amount}"


def better(value: float | None, than: float | None, smaller_is_better: bool) -> bool:
    """Is a value an improvement?"""
    if value is None or not math.isfinite(value):
        return False
    return than is None or (value < than if smaller_is_better else value > than)


def json_metrics(metrics: dict[str, float]) -> dict[str, float | None]:
    """Metrics with None for what is not a number."""
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}


def _describe(view: Document, config: dict[str, Any]) -> None:
    searcher = config.get("searcher")
    searcher = searcher if isinstance(searcher, dict) else {}
    view["config"] = config
    view["name"] = str(config.get("name") or "")
    view["labels"] = [str(label) for label in config.get("labels") or []]
    view["metric"] = searcher.get("metric")
    view["smaller_is_better"] = bool(searcher.get("smaller_is_better", True))


def _keep_best(view: Document, best: Any, revision: int) -> None:
    if best is not None and revision >= view.get("best_revision", -1):
        view["best"], view["best_revision"] = best.to_json(), revision


def _aim(view: Document, target: dict[str, int], extended: bool) -> None:
    [(unit, amount)] = target.items()
    before = next(iter(view["target"].values())) if view["target"] else 0
    if extended and amount > max(before, view["length"] or 0) and view["close_reason"] in _EXTENSIBLE:
        view["close_reason"] = view["ended_at"] = None  # the search was extended, and wants more of it
    if amount >= before:
        view["target"] = {unit: amount}


def _validated(view: Document, event: ValidationCompleted, experiment: Document) -> None:
    length = event.length.amount
    value = event.metrics.get(experiment["metric"] or "")
    smaller = experiment["smaller_is_better"]
    if view["length"] is None or length >= view["length"]:
        view["length"], view["metrics"] = length, json_metrics(event.metrics)
    if better(value, view["best"]["value"] if view["best"] else None, smaller):
        assert value is not None
        view["best"] = {
            "value": value,
            "length": length,
            "checkpoint": event.checkpoint.uri if event.checkpoint else None,
        }
        view["standing"] = value if smaller else -value


def _state(view: Document) -> str:
    if view["close_reason"] is not None:
        return str(view["close_reason"])
    if view["lease_number"] > view["ended_lease"]:
        return "running"
    target = next(iter(view["target"].values())) if view["target"] else 0
    if view["paused_at"] is not None and view["paused_at"] >= target:
        return "paused"
    return "waiting"
