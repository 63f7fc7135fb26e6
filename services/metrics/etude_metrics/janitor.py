"""Janitor: asks the runners to delete checkpoints that nobody needs any more."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import structlog

from etude.bus import EventBus
from etude.events import (
    CheckpointDiscarded,
    CheckpointSaved,
    Envelope,
    ExperimentCanceled,
    ExperimentCompleted,
    ExperimentFailed,
    TrialClosed,
)
from etude.service.clock import Clock
from etude.store import Above, Document, DocumentStore, In
from etude.store.schema import CHECKPOINTS, EXPERIMENT_VIEWS, TRIAL_VIEWS, VALIDATIONS
from etude_metrics.retention import Keep, superfluous
from etude_metrics.views import OVER, TRIAL_STATES

log = structlog.get_logger("etude.metrics")

_UNFINISHED = [state for state in TRIAL_STATES if state not in OVER]


class Janitor:
    """Looks at a trial some time after it saved a checkpoint or was closed, and at all of an experiment at its end.

    Parameters
    ----------
    grace : for how long a checkpoint is kept after it is no longer the latest
    """

    def __init__(
        self, store: DocumentStore, bus: EventBus, clock: Clock, grace: timedelta = timedelta(seconds=60)
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._grace = grace
        self._due: dict[tuple[str, int], datetime] = {}
        self._ended: dict[str, datetime] = {}

    def notice(self, batch: Sequence[Envelope]) -> None:
        """Remember what there may be to do."""
        now = self._clock()
        for envelope in batch:
            match envelope.data:
                case CheckpointSaved(trial_id=trial_id) | TrialClosed(trial_id=trial_id):
                    self._due[envelope.experiment, trial_id] = now + self._grace
                case ExperimentCompleted() | ExperimentCanceled() | ExperimentFailed():
                    self._ended[envelope.experiment] = now + self._grace

    async def clean(self) -> None:
        """Discard what can be; to be called every now and then."""
        now = self._clock()
        ended = [experiment_id for experiment_id, due in self._ended.items() if due <= now]
        trials = [key for key, due in self._due.items() if due <= now and key[0] not in ended]
        for experiment_id in ended:
            trials += [(experiment_id, t["trial_id"]) for t in await self._trials(experiment_id)]
        by_experiment: dict[str, set[int]] = {}
        for experiment_id, trial_id in trials:
            by_experiment.setdefault(experiment_id, set()).add(trial_id)
        for experiment_id, trial_ids in by_experiment.items():
            await self._clean(experiment_id, sorted(trial_ids))
        for experiment_id in ended:
            del self._ended[experiment_id]
        for key in trials:
            self._due.pop(key, None)

    async def _clean(self, experiment_id: str, trial_ids: list[int]) -> None:
        found = await self._store.get(EXPERIMENT_VIEWS, [experiment_id])
        if not found or found[0]["config"] is None:  # it was deleted, or is not known yet
            return
        [experiment] = found
        needed = await self._needed(experiment)
        where = {"experiment_id": experiment_id, "trial_id": In(trial_ids)}
        trials = {t["trial_id"]: t for t in await self._store.find(TRIAL_VIEWS, where)}
        checkpoints = _by_trial(await self._store.find(CHECKPOINTS, {**where, "deleted": False}, ("trial_id", "order")))
        validations = _by_trial(await self._store.find(VALIDATIONS, where))
        pool = ((experiment["config"].get("resources") or {}).get("resource_pool")) or "default"
        now = self._clock()
        for trial_id, saved in checkpoints.items():
            results = validations.get(trial_id, [])
            uris = superfluous(trials[trial_id], saved, results, experiment, needed, now, self._grace)
            if uris:
                log.info("checkpoints are discarded", experiment_id=experiment_id, trial_id=trial_id, count=len(uris))
                event = CheckpointDiscarded(trial_id=trial_id, uris=uris)
                wrapped = Envelope.wrap(event, source="metrics", time=now, experiment_id=experiment_id, pool=pool)
                await self._bus.publish([wrapped])

    async def _needed(self, experiment: Document) -> set[str]:
        """What is kept whatever becomes of its trial: the best of the experiment, and where others begin from."""
        count = max(Keep.of(experiment["config"]).experiment_best, 1)
        where = {"experiment_id": experiment["_id"]}
        best = await self._store.find(TRIAL_VIEWS, where, ("standing", "trial_id"), count)
        clones = await self._store.find(TRIAL_VIEWS, {"state": In(_UNFINISHED), "source": Above("")})
        needed = {trial["best"]["checkpoint"] for trial in best if trial["best"]}
        needed |= {clone["source"] for clone in clones if clone["checkpoint"] is None}
        if experiment["best"]:
            needed.add(experiment["best"].get("checkpoint"))
        return {uri for uri in needed if uri}

    async def _trials(self, experiment_id: str) -> list[Document]:
        return await self._store.find(TRIAL_VIEWS, {"experiment_id": experiment_id})


def _by_trial(documents: Iterable[Document]) -> dict[int, list[Document]]:
    found: dict[int, list[Document]] = {}
    for document in documents:
        found.setdefault(document["trial_id"], []).append(document)
    return found
