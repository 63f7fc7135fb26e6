"""Reconciliation: views that lack something for too long are completed, or ended."""

from datetime import datetime, timedelta

import structlog

from etude.bus import EventBus
from etude.events import (
    Envelope,
    Event,
    ExperimentCreated,
    ExperimentResyncRequested,
    ModelDefinition,
)
from etude.service.clock import Clock
from etude.store import Document, DocumentStore
from etude.store.schema import ALLOCATIONS, EXPERIMENT_VIEWS, TRIAL_VIEWS
from etude_metrics.views import DELETED

log = structlog.get_logger("etude.metrics")

LOST = "lost"
_LONGEST = timedelta(hours=1)


class Reconciliation:
    """Compares what is known with what there should be.

    An experiment of which only some event was heard is asked about: the searcher publishes its decisions again, or says
    that there is none. An experiment that was created and that no decision followed is announced again:
    ``experiment.created`` is the one event that no document of another service stands behind. An allocation whose
    runner died with it is ended, once its trial has a later one or is over.

    Parameters
    ----------
    grace : for how long events may be on their way
    """

    def __init__(
        self, store: DocumentStore, bus: EventBus, clock: Clock, grace: timedelta = timedelta(seconds=60)
    ) -> None:
        self._store, self._bus, self._clock, self._grace = store, bus, clock, grace
        self._waits: dict[str, tuple[datetime, timedelta]] = {}  # by experiment: when it is due, and the next interval
        self._allocations_due: datetime | None = None

    async def reconcile(self) -> None:
        """Do what is due; to be called every few seconds."""
        now = self._clock()
        await self._ask_the_searcher(now)
        if self._allocations_due is None or now >= self._allocations_due:
            self._allocations_due = now + self._grace
            await self._end_lost_allocations(now)

    async def _ask_the_searcher(self, now: datetime) -> None:
        nameless = await self._store.find(EXPERIMENT_VIEWS, {"order": None})
        undecided = await self._store.find(EXPERIMENT_VIEWS, {"state": "created"})
        views = {view["_id"]: view for view in [*undecided, *nameless] if view["state"] != DELETED}
        self._waits = {key: wait for key, wait in self._waits.items() if key in views}
        for experiment_id, view in views.items():
            due, interval = self._waits.get(experiment_id) or (_last_change(view) + self._grace, self._grace)
            if now < due:
                continue
            self._waits[experiment_id] = (now + interval, min(interval * 2, _LONGEST))
            await self._publish(view, now)

    async def _publish(self, view: Document, now: datetime) -> None:
        event: Event
        if view["config"] is None or view["model_definition"] is None:
            event = ExperimentResyncRequested(requested_by="metrics")
            log.warning("asking the searcher about an experiment of which little is known", experiment_id=view["_id"])
        else:
            event = ExperimentCreated(
                config=view["config"],
                model_definition=ModelDefinition.model_validate(view["model_definition"]),
                seed=view["seed"],
                owner=view["owner"],
            )
            log.warning("announcing an experiment again that no decision followed", experiment_id=view["_id"])
        await self._bus.publish(
            [Envelope.wrap(event, source="metrics", time=now, experiment_id=view["_id"], pool=view["pool"])]
        )

    async def _end_lost_allocations(self, now: datetime) -> None:
        going_on = await self._store.find(ALLOCATIONS, {"ended": None})
        trial_ids = sorted({f"{document['experiment_id']}/{document['trial_id']}" for document in going_on})
        trials = {view["_id"]: view for view in await self._store.get(TRIAL_VIEWS, trial_ids)}
        lost = []
        for document in going_on:
            trial = trials.get(f"{document['experiment_id']}/{document['trial_id']}")
            if trial is not None and (detail := self._loss(document, trial, now)):
                lost.append({**document, "ended": now.isoformat(), "reason": LOST, "detail": detail})
        if lost:
            await self._store.put(ALLOCATIONS, lost)

    def _loss(self, allocation: Document, trial: Document, now: datetime) -> str | None:
        """Why nobody will report the end of an allocation; None if somebody may."""
        if trial["lease_number"] > allocation["lease_number"]:
            return f"its runner was lost; the trial went on under lease {trial['lease_number']}"
        ended = trial["close_reason"] is not None and trial["ended_at"]
        if ended and now - datetime.fromisoformat(ended) > self._grace:
            return "its runner was lost; the trial ended meanwhile"
        return None


def _last_change(view: Document) -> datetime:
    return datetime.fromtimestamp(view["version"] / 1e6).astimezone()
