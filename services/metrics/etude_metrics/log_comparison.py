"""Log comparison: what the searcher decided on is compared with what is stored, for reports that never came."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import structlog

from etude.events import (
    TrialClosed,
    TrialContinued,
    TrialPaused,
    TrialRequested,
    ValidationCompleted,
)
from etude.service.clock import Clock
from etude.store import Above, Document, DocumentStore
from etude.store.schema import EXPERIMENT_VIEWS, EXPERIMENTS, SEARCH_LOG, TRIAL_VIEWS, VALIDATIONS
from etude_metrics.views import DELETED, validation_id

T = TypeVar("T")
log = structlog.get_logger("etude.metrics")

_READ = 500  # decisions at a time, so that others get their turn
REMEMBERED = timedelta(days=1)
_ON_TRIALS = (TrialRequested.type, TrialContinued.type, TrialPaused.type, TrialClosed.type)


@dataclass
class Gap:
    """What is lacking of an experiment.

    Attributes
    ----------
    pool : its resource pool
    validations : ids of validations that were decided on and are not stored
    trials : numbers of trials that were closed, or tried again, and are not shown so
    """

    pool: str
    validations: list[str] = field(default_factory=list)
    trials: list[int] = field(default_factory=list)


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
        since = (self._clock() - REMEMBERED).isoformat()
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
            if gap.validations or gap.trials or state != document["state"]:
                gaps[experiment_id] = gap
        return gaps

    async def _compare(self, experiment_id: str, gap: Gap) -> None:
        seq = self._compared.get(experiment_id, -1)
        decided: dict[int, tuple[int, bool]] = {}  # by trial: which attempt it is, and whether it is closed
        while True:
            where = {"experiment_id": experiment_id, "seq": Above(seq)}
            decisions = await self._store.find(SEARCH_LOG, where, ("seq",), _READ)
            reports = [validation_id(experiment_id, report) for report in _reports(decisions)]
            stored = {document["_id"] for document in await self._store.get(VALIDATIONS, sorted(set(reports)))}
            gap.validations += [key for key in reports if key not in stored]
            decided |= _decided(decisions)
            seq = decisions[-1]["seq"] if decisions else seq
            if len(decisions) < _READ:
                break
        gap.trials = await self._outdated(experiment_id, decided)
        if not gap.validations and not gap.trials:
            self._compared[experiment_id] = seq

    async def _outdated(self, experiment_id: str, decided: Mapping[int, tuple[int, bool]]) -> list[int]:
        views = {}
        ids = [f"{experiment_id}/{trial_id}" for trial_id in sorted(decided)]
        for start in range(0, len(ids), _READ):
            for view in await self._store.get(TRIAL_VIEWS, ids[start : start + _READ]):
                views[view["trial_id"]] = (view["attempt"], view["close_reason"] is not None)
        return [trial_id for trial_id, should in sorted(decided.items()) if views.get(trial_id, (0, False)) < should]


def _decided(decisions: Iterable[Document]) -> dict[int, tuple[int, bool]]:
    """What became of trials last: which attempt it is, and whether it is closed."""
    return {
        event["data"]["trial_id"]: (event["data"].get("attempt", 1), event["type"] == TrialClosed.type)
        for decision in decisions
        for event in decision["events"]
        if event["type"] in _ON_TRIALS
    }


def _reports(decisions: Iterable[Document]) -> Iterator[ValidationCompleted]:
    """The validations that were decided on."""
    for decision in decisions:
        if decision["cause"]["type"] == ValidationCompleted.type:
            yield ValidationCompleted.model_validate(decision["cause"]["data"])
