"""The search log and its snapshots as documents. Pure: says what is stored, and stores nothing."""

import base64
import json
import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from etude.events import Event
from etude.store import Document
from etude_searcher.search import Decision, Search, State

SNAPSHOT_EVERY = 1000
SNAPSHOT_FORMAT = 1
"""Of this version. A snapshot of a newer one is passed over: the log before it holds all that it says."""
_PART = 8 * 2**20  # characters, half of what MongoDB takes in a document


def decision_id(experiment_id: str, seq: int) -> str:
    """The ``_id`` of a decision's document."""
    return f"{experiment_id}:{seq}"


def decision_document(experiment_id: str, decision: Decision, at: datetime) -> Document:
    """A decision as it is kept."""
    return {
        "_id": decision_id(experiment_id, decision.seq),
        "experiment_id": experiment_id,
        "seq": decision.seq,
        "at": at.isoformat(),
        "cause": {"id": decision.cause_id, **_write(decision.cause)},
        "events": [_write(event) for event in decision.events],
        "reasons": list(decision.reasons),
    }


def recorded_decision(document: Document) -> Decision:
    """The decision that a document holds."""
    cause, events = document["cause"], document["events"]
    reasons = tuple(document.get("reasons", ()))
    return Decision(document["seq"], _read(cause), cause["id"], tuple(map(_read, events)), reasons)


def snapshot_documents(experiment_id: str, search: Search) -> list[Document]:
    """The state of a search, in parts that a document can hold.

    Two snapshots are kept and overwritten in turn, so that a crash in mid-write leaves the one before.
    """
    packed = base64.b85encode(zlib.compress(json.dumps(search.snapshot()).encode(), 3)).decode()
    parts = [packed[start : start + _PART] for start in range(0, len(packed), _PART)]
    turn = search.seq // SNAPSHOT_EVERY % 2
    return [
        {
            "_id": f"{experiment_id}:{turn}:{number}",
            "experiment_id": experiment_id,
            "seq": search.seq,
            "format": SNAPSHOT_FORMAT,
            "part": number,
            "parts": len(parts),
            "data": part,
        }
        for number, part in enumerate(parts)
    ]


def latest_snapshot(documents: Sequence[Document]) -> Search | None:
    """The newest search that is whole and of a format that is known, if there is one."""
    known = [document for document in documents if document.get("format", 1) <= SNAPSHOT_FORMAT]
    for seq in sorted({document["seq"] for document in known}, reverse=True):
        parts = sorted((d for d in known if d["seq"] == seq), key=lambda d: int(d["part"]))
        if len(parts) == parts[0]["parts"]:
            packed = "".join(part["data"] for part in parts)
            return Search.restore(json.loads(zlib.decompress(base64.b85decode(packed))))
    return None


def tombstone(experiment_id: str, seq: int, pool: str, at: datetime) -> Document:
    """What is left of an experiment that was deleted, besides its last decision, number ``seq``."""
    return {
        "_id": experiment_id,
        "state": State.DELETED.value,
        "seq": seq + 1,
        "pool": pool,
        "changed_at": at.isoformat(),
    }


def experiment_document(experiment_id: str, search: Search, created_at: str, at: datetime) -> Document:
    """What is asked about an experiment, without reading its log."""
    engine, created = search.engine, search.created
    return {
        "_id": experiment_id,
        "state": search.state.value,
        "seq": search.seq,
        "pool": search.pool,
        "progress": 1.0 if search.state == "completed" else engine.progress() if engine else 0.0,
        "trials": len(engine.trials) if engine else 0,
        "unprepared_draws": engine.unprepared if engine else 0,
        "best": engine.best.to_json() if engine and engine.best else None,
        "final": _write(search.final) if search.final else None,
        "config": created.config,
        "model_definition": created.model_definition.to_json(),
        "seed": created.seed,
        "owner": created.owner,
        "created_at": created_at,
        "changed_at": at.isoformat(),
    }


def _write(event: Event) -> dict[str, Any]:
    return {"type": event.type, "data": event.to_json()}


def _read(written: dict[str, Any]) -> Event:
    return Event.registry[written["type"]].model_validate(written["data"])
