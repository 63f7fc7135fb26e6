"""Log comparison: what the searcher decided on is compared with what is stored, for reports that never came."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from etude.artifacts import ArtifactError
from etude.artifacts.checkpoint import checkpoints_beside, read_manifest
from etude.events import CheckpointSaved, ValidationCompleted
from etude.service.clock import Clock
from etude.store import Above, Document, DocumentStore
from etude.store.schema import CHECKPOINTS, EXPERIMENT_VIEWS, EXPERIMENTS, SEARCH_LOG, VALIDATIONS
from etude_metrics.views import DELETED

log = structlog.get_logger("etude.metrics")

_READ = 500  # decisions at a time, so that others get their turn
_REMEMBERED = timedelta(days=1)


@dataclass
class Gap:
    """What is lacking of an experiment.

    Attributes
    ----------
    pool : its resource pool
    validations : ids of validations that were decided on and are not stored
    checkpoints : URIs that these name
    """

    pool: str
    validations: list[str] = field(default_factory=list)
    checkpoints: list[str] = field(default_factory=list)


class LogComparison:
    """Finds experiments of which events were lost on their way here.

    A broker that lost its disk held reports that the searcher had taken already and this service had not. Whoever made
    them may be gone, too; but the search log holds each report that was decided on. What was compared once is not read
    again in this life.
    """

    def __init__(self, store: DocumentStore, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._compared: dict[str, int] = {}  # by experiment: up to this decision all is stored

    async def gaps(self) -> dict[str, Gap]:
        """What is lacking of experiments that go on or changed within a day, by their ids."""
        since = (self._clock() - _REMEMBERED).isoformat()
        documents = {document["_id"]: document for document in await self._store.find(EXPERIMENTS, {"state": "active"})}
        documents |= {d["_id"]: d for d in await self._store.find(EXPERIMENTS, {"changed_at": Above(since)})}
        views = {view["_id"]: view for view in await self._store.get(EXPERIMENT_VIEWS, sorted(documents))}
        self._compared = {key: seq for key, seq in self._compared.items() if key in documents}
        gaps = {}
        for experiment_id, document in documents.items():
            state = views[experiment_id]["state"] if experiment_id in views else None
            if DELETED in (state, document["state"]):
                continue
            gap = Gap(document["pool"])
            await self._compare(experiment_id, gap)
            if gap.validations or state != document["state"]:
                gaps[experiment_id] = gap
        return gaps

    async def _compare(self, experiment_id: str, gap: Gap) -> None:
        seq = self._compared.get(experiment_id, -1)
        while True:
            where = {"experiment_id": experiment_id, "seq": Above(seq)}
            decisions = await self._store.find(SEARCH_LOG, where, ("seq",), _READ)
            reports = dict(_validations(experiment_id, decisions))
            stored = {document["_id"] for document in await self._store.get(VALIDATIONS, sorted(reports))}
            for validation_id, report in reports.items():
                if validation_id not in stored:
                    gap.validations.append(validation_id)
                    gap.checkpoints += [report["checkpoint"]["uri"]] if report.get("checkpoint") else []
            seq = decisions[-1]["seq"] if decisions else seq
            if not gap.validations:
                self._compared[experiment_id] = seq
            if len(decisions) < _READ:
                return

    async def lost_checkpoints(self, experiment_id: str, gap: Gap) -> list[CheckpointSaved]:
        """Checkpoints that lie in the storage beside those of lost reports, and of which nothing was heard.

        None of them if this service cannot see the storage: their trials report them once they go on.
        """
        if not gap.checkpoints:
            return []
        try:
            found = await asyncio.to_thread(checkpoints_beside, gap.checkpoints[0])
        except ArtifactError as error:
            log.warning("checkpoints cannot be listed", experiment_id=experiment_id, error=str(error))
            return []
        heard = {checkpoint["_id"] for checkpoint in await self._store.get(CHECKPOINTS, found)}
        events = []
        for uri in found:
            if uri in heard:
                continue
            try:
                manifest = await asyncio.to_thread(read_manifest, uri)
            except ArtifactError as error:
                log.warning("a checkpoint that was lost sight of cannot be read", uri=uri, error=str(error))
                continue
            if manifest.experiment_id == experiment_id:
                events.append(
                    CheckpointSaved(
                        trial_id=manifest.trial_id,
                        lease_number=manifest.lease_number,
                        uri=uri,
                        length=manifest.length,
                        files=manifest.files,
                    )
                )
        return events


def _validations(experiment_id: str, decisions: list[Document]) -> Iterator[tuple[str, Document]]:
    for decision in decisions:
        cause = decision["cause"]
        if cause["type"] == ValidationCompleted.type:
            data = cause["data"]
            yield f"{experiment_id}/{data['trial_id']}/{next(iter(data['length'].values()))}", data
