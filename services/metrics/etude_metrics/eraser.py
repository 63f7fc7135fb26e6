"""Eraser: takes away what is left of experiments that were deleted."""

from datetime import datetime, timedelta

import structlog

from etude.bus import EventBus
from etude.events import CheckpointDiscarded, Envelope
from etude.service.clock import Clock
from etude.store import Above, Below, Document, DocumentStore
from etude.store.schema import (
    ALLOCATIONS,
    CHECKPOINTS,
    EXPERIMENT_VIEWS,
    LOGS,
    TRAINING_POINTS,
    TRIAL_VIEWS,
    VALIDATIONS,
)
from etude_metrics.stored_checkpoints import StoredCheckpoints
from etude_metrics.views import DELETED

log = structlog.get_logger("etude.metrics")

_TOLD = (VALIDATIONS, TRAINING_POINTS, LOGS, ALLOCATIONS, TRIAL_VIEWS)
_FACTOR = 8
_LOOKED_AFTER = timedelta(days=7)


class Eraser:
    """Looks at each experiment that was deleted: at once, after ``grace``, and ever less often for a week.

    What was on its way when it was deleted comes later, and goes with the next look. Documents of checkpoints stay
    until some runner has deleted their files, for which it is asked again with each look, and for those that lie in the
    storage though nobody told of them.

    Parameters
    ----------
    stored : finds these
    grace : time to the second look
    """

    def __init__(
        self,
        store: DocumentStore,
        bus: EventBus,
        clock: Clock,
        stored: StoredCheckpoints,
        grace: timedelta = timedelta(seconds=60),
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._stored = stored
        self._grace = grace

    async def erase(self) -> None:
        """Take away what is due; to be called every now and then."""
        now = self._clock()
        due = {"state": DELETED, "erase_at": Below(now.isoformat())}
        for tombstone in await self._store.find(EXPERIMENT_VIEWS, due):
            await self._erase(tombstone, now)

    async def _erase(self, tombstone: Document, now: datetime) -> None:
        experiment_id = tombstone["_id"]
        where = {"experiment_id": experiment_id}
        gone = [await self._store.delete(collection, where) for collection in _TOLD]
        await self._store.delete(CHECKPOINTS, {**where, "deleted": True})
        left = await self._discard(tombstone, now)
        since = now - datetime.fromisoformat(tombstone["ended_at"])
        again = now + max(self._grace, (_FACTOR - 1) * since)
        tombstone["erase_at"] = again.isoformat() if left or since < _LOOKED_AFTER else None
        await self._store.put(EXPERIMENT_VIEWS, [tombstone])
        log.info("a deleted experiment is erased", experiment_id=experiment_id, documents=sum(gone), checkpoints=left)

    async def _discard(self, tombstone: Document, now: datetime) -> int:
        """Ask for the checkpoints to be deleted from which no trial elsewhere is about to begin; how many are left."""
        experiment_id, pool = tombstone["_id"], tombstone["pool"]
        known = await self._store.find(CHECKPOINTS, {"experiment_id": experiment_id})
        left = [(checkpoint["trial_id"], checkpoint["uri"]) for checkpoint in known]
        left += [(saved.trial_id, saved.uri) for saved in await self._stored.unheard_of(tombstone)]
        clones = await self._store.find(TRIAL_VIEWS, {"source": Above("")})
        needed = {clone["source"] for clone in clones if clone["checkpoint"] is None and clone["ended_at"] is None}
        by_trial: dict[int, list[str]] = {}
        for trial_id, uri in left:
            if uri not in needed:
                by_trial.setdefault(trial_id, []).append(uri)
        discarded = [CheckpointDiscarded(trial_id=trial_id, uris=uris) for trial_id, uris in sorted(by_trial.items())]
        if discarded:
            await self._bus.publish(
                [
                    Envelope.wrap(event, source="metrics", time=now, experiment_id=experiment_id, pool=pool)
                    for event in discarded
                ]
            )
        return len(left)
