"""Live updates: what changed, as server-sent events, resumable with ``Last-Event-ID``."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from etude.store import Above, DocumentStore
from etude.store.schema import TRIAL_VIEWS
from etude_metrics.api.answers import to_json, told
from etude_metrics.api.known import Known
from etude_metrics.api.models import Experiment, Trial
from etude_metrics.api.problems import ProblemError, described
from etude_metrics.api.queries import Queries

_LOOK_SECONDS = 0.5
_ALIVE_SECONDS = 15.0
_MOST_TRIALS = 500  # in one event
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Events until you go."}
}
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_Number = Annotated[str | None, Header(alias="Last-Event-ID", pattern=r"^\d{1,18}$")]
_Since = Annotated[int | None, Query(ge=0, lt=10**18, description="The version that you know; by default all of now.")]


def live(store: DocumentStore, queries: Queries, known: Known) -> APIRouter:
    """``/events`` and ``/experiments/ID/events``."""
    router = APIRouter(tags=["live"])

    @router.get("/events", response_class=StreamingResponse, responses={**_STREAM, **described(422, 503)})
    async def of_all(last_event_id: _Number = None, since: _Since = None) -> StreamingResponse:
        """Experiments as they change: each event `experiment` has one as lists show it."""
        changes = _experiments(queries, int(last_event_id or since or 0))
        return StreamingResponse(changes, headers=_HEADERS, media_type="text/event-stream")

    @router.get(
        "/experiments/{experiment_id}/events",
        response_class=StreamingResponse,
        responses={**_STREAM, **described(404, 422, 503)},
    )
    async def of_one(
        request: Request, experiment_id: str, last_event_id: _Number = None, since: _Since = None
    ) -> StreamingResponse:
        """One experiment as it changes.

        Events `experiment`, as lists show it, and `trials`, those that changed; `deleted` is the last one.
        """
        await known.experiment(experiment_id)
        changes = _one(store, known, experiment_id, int(last_event_id or since or 0))
        return StreamingResponse(changes, headers=_HEADERS, media_type="text/event-stream")

    return router


async def _experiments(queries: Queries, version: int) -> AsyncIterator[bytes]:
    told_versions: dict[str, int] = {}
    spoke = time.monotonic()
    while True:
        for experiment in await queries.changed_experiments(version):
            if experiment["version"] > told_versions.get(experiment["experiment_id"], 0):
                told_versions[experiment["experiment_id"]] = experiment["version"]
                spoke = time.monotonic()
                yield _event("experiment", told(Experiment, experiment), experiment["version"])
        version = max([version, *told_versions.values()])
        if time.monotonic() - spoke > _ALIVE_SECONDS:
            spoke = time.monotonic()
            yield b": alive\n\n"
        await asyncio.sleep(_LOOK_SECONDS)


async def _one(store: DocumentStore, known: Known, experiment_id: str, version: int) -> AsyncIterator[bytes]:
    spoke = time.monotonic()
    while True:
        try:
            experiment = await known.experiment(experiment_id)
        except ProblemError:  # it was there when it was asked for
            yield _event("deleted", {"experiment_id": experiment_id})
            return
        if experiment["version"] > version:
            where = {"experiment_id": experiment_id, "version": Above(version)}
            changed = [told(Trial, trial) for trial in await store.find(TRIAL_VIEWS, where, ("version", "trial_id"))]
            for start in range(0, len(changed), _MOST_TRIALS):
                yield _event("trials", changed[start : start + _MOST_TRIALS])
            version = experiment["version"]
            spoke = time.monotonic()
            yield _event("experiment", told(Experiment, experiment), version)
        elif time.monotonic() - spoke > _ALIVE_SECONDS:
            spoke = time.monotonic()
            yield b": alive\n\n"
        await asyncio.sleep(_LOOK_SECONDS)


def _event(name: str, data: Any, version: int | None = None) -> bytes:
    """An event on the wire; the version goes with the last of those that belong together."""
    number = f"id: {version}\n".encode() if version is not None else b""
    return number + b"event: " + name.encode() + b"\ndata: " + to_json(data) + b"\n\n"
