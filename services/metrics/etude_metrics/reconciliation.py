"""Reconciliation: views that lack something for too long are completed, or ended."""

import contextlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import structlog

from etude.bus import EventBus
from etude.events import (
    Envelope,
    Event,
    ExperimentCanceled,
    ExperimentCompleted,
    ExperimentCreated,
    ExperimentFailed,
    ExperimentResyncRequested,
    ModelDefinition,
)
from etude.service.clock import Clock
from etude.store import Above, ConflictError, Document, DocumentStore
from etude.store.schema import ALLOCATIONS, EXPERIMENT_VIEWS, TRIAL_VIEWS
from etude_metrics.log_comparison import REMEMBERED, LogComparison
from etude_metrics.stored_checkpoints import StoredCheckpoints
from etude_metrics.views import DELETED

log = structlog.get_logger("etude.metrics")

LOST = "lost"
_LONGEST = timedelta(hours=1)


class Reconciliation:
    """Compares what is known with what there should be.

    An experiment of which only some event was heard is asked about: the searcher publishes its decisions again, or says
    that there is none. An experiment that was created and that no decision followed is announced again:
    ``experiment.created`` is the one event that no document of another service stands behind. An allocation whose
    runner died with it is ended, once its trial has a later one or is over. After a start and after each lost
    connection the search log is compared with what is stored: the broker may have lost what was on its way here.
    Where something was lost, and of each experiment that ended, checkpoints of which nothing was heard are looked for.

    Parameters
    ----------
    stored : finds them
    grace : for how long events may be on their way
    """

    def __init__(
        self,
        store: DocumentStore,
        bus: EventBus,
        clock: Clock,
        stored: StoredCheckpoints,
        grace: timedelta = timedelta(seconds=60),
    ) -> None:
        self._store, self._bus, self._clock, self._grace = store, bus, clock, grace
        self._stored = stored
        self._waits: dict[str, tuple[datetime, timedelta]] = {}  # by experiment: when it is due, and the next interval
        self._allocations_due: datetime | None = None
        self._comparison = LogComparison(store, clock)
        self._comparison_due: datetime | None = None
        self._comparison_interval = grace
        self._listings: dict[str, datetime] = {}  # by experiment: when its stored checkpoints are to be looked at
        self.doubt()

    def doubt(self) -> None:
        """Events may have been lost on their way here: compare what is stored, once those on their way have come."""
        self._comparison_due = self._clock() + self._grace
        self._comparison_interval = self._grace
        self._doubts_ends = True

    def notice(self, batch: Sequence[Envelope]) -> None:
        """Remember which experiments ended."""
        for envelope in batch:
            if isinstance(envelope.data, ExperimentCompleted | ExperimentCanceled | ExperimentFailed):
                self._listings[envelope.experiment] = self._clock() + self._grace

    async def reconcile(self) -> None:
        """Do what is due; to be called every few seconds."""
        now = self._clock()
        await self._ask_the_searcher(now)
        if self._allocations_due is None or now >= self._allocations_due:
            self._allocations_due = now + self._grace
            await self._end_lost_allocations(now)
        if self._comparison_due is not None and now >= self._comparison_due:
            await self._compare_with_the_log(now)
        await self._list_checkpoints(now)

    async def _compare_with_the_log(self, now: datetime) -> None:
        gaps = await self._comparison.gaps()
        for experiment_id, gap in gaps.items():
            log.warning(
                "asking the searcher to tell again what was lost on its way here",
                experiment_id=experiment_id,
                validations=len(gap.validations),
                trials=len(gap.trials),
            )
            await self._publish([ExperimentResyncRequested(requested_by="metrics")], experiment_id, gap.pool, now)
        self._listings |= dict.fromkeys(gaps, now)
        if self._doubts_ends:
            self._doubts_ends = False
            ended = await self._store.find(EXPERIMENT_VIEWS, {"ended_at": Above((now - REMEMBERED).isoformat())})
            self._listings |= {view["_id"]: now for view in ended}
        self._comparison_due = now + self._comparison_interval if gaps else None
        self._comparison_interval = min(self._comparison_interval * 2, _LONGEST)

    async def _list_checkpoints(self, now: datetime) -> None:
        """Tell of checkpoints of which nothing was heard: what is not needed is deleted then, as others are."""
        due = sorted(experiment_id for experiment_id, time in self._listings.items() if time <= now)
        for view in await self._store.get(EXPERIMENT_VIEWS, due):
            if view["config"] is not None or view["state"] == DELETED:
                found = await self._stored.unheard_of(view)
                await self._publish(found, view["_id"], view["pool"], now)
        for experiment_id in due:
            del self._listings[experiment_id]

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
            await self._ask(view, now)

    async def _ask(self, view: Document, now: datetime) -> None:
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
        await self._publish([event], view["_id"], view["pool"], now)

    async def _publish(self, events: Iterable[Event], experiment_id: str, pool: str, now: datetime) -> None:
        told = [
            Envelope.wrap(event, source="metrics", time=now, experiment_id=experiment_id, pool=pool) for event in events
        ]
        if told:
            await self._bus.publish(told)

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
            await self._renew({document["experiment_id"] for document in lost})

    async def _renew(self, experiment_ids: Iterable[str]) -> None:
        """Give experiments a higher version, by which others see that something of them changed."""
        for view in await self._store.get(EXPERIMENT_VIEWS, sorted(experiment_ids)):
            with contextlib.suppress(ConflictError):  # an event that came meanwhile has done so
                await self._store.put_versioned(EXPERIMENT_VIEWS, [{**view, "version": view["version"] + 1}])

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
