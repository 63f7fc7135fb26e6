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
from etude_metrics.views import DELETED

log = structlog.get_logger("etude.metrics")

_TOLD = (VALIDATIONS, TRAINING_POINTS, LOGS, ALLOCATIONS, TRIAL_VIEWS)
_FACTOR = 8
_LOOKED_AFTER = timedelta(days=7)


class Eraser:
    """Looks at each experiment that was deleted: at once, after ``grace``, and ever less often for a week.

    What was on its way when it was deleted comes later, and goes with the next look. Documents of checkpoints stay
    until some runner has deleted their files, for which it is asked again with each look.

    Parameters
    ----------
    grace : time to the second look
    """

    def __init__(
        self, store: DocumentStore, bus: EventBus, clock: Clock, grace: timedelta = timedelta(seconds=60)
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
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
        left = await self._discard(experiment_id, tombstone["pool"], now)
        since = now - datetime.fromisoformat(tombstone["ended_at"])
        again = now + max(self._grace, (_FACTOR - 1) * since)
        tombstone["erase_at"] = again.isoformat() if left or since < _LOOKED_AFTER else None
        await self._store.put(EXPERIMENT_VIEWS, [tombstone])
        log.info("a deleted experiment is erased", experiment_id=experiment_id, documents=sum(gone), checkpoints=left)

    async def _discard(self, experiment_id: str, pool: str, now: datetime) -> int:
        """Ask for the checkpoints to be deleted from which no trial elsewhere is about to begin; how many are left."""
        left = await self._store.find(CHECKPOINTS, {"experiment_id": experiment_id})
        clones = await self._store.find(TRIAL_VIEWS, {"source": Above("")})
        needed = {clone["source"] for clone in clones if clone["checkpoint"] is None and clone["ended_at"] is None}
        by_trial: dict[int, list[str]] = {}
        for checkpoint in left:
            if checkpoint["uri"] not in needed:
                by_trial.setdefault(checkpoint["trial_id"], []).append(checkpoint["uri"])
        discarded = [CheckpointDiscarded(trial_id=trial_id, uris=uris) for trial_id, uris in sorted(by_trial.items())]
        if discarded:
            await self._bus.publish(
                [
                    Envelope.wrap(event, source="metrics", time=now, experiment_id=experiment_id, pool=pool)
                    for event in discarded
                ]
            )
        return len(left)
