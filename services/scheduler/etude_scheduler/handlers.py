"""The scheduler's shell: load, decide, commit, publish; returning acknowledges."""

import asyncio
from collections.abc import Sequence

import structlog

from etude.bus import EventBus
from etude.events import Envelope, ExperimentActivated, ExperimentDeleted, PoolReported
from etude.service.clock import Clock
from etude.store import ConflictError, DocumentStore, In
from etude.store.schema import EXPERIMENT_SHARES, RUNNERS, TRIALS
from etude_scheduler.execution import Execution, Key, document_id
from etude_scheduler.fleet import Runner
from etude_scheduler.ledger import Message
from etude_scheduler.policies import Policy
from etude_scheduler.scheduler import Scheduler, Timing
from etude_scheduler.share import Share

log = structlog.get_logger("etude.scheduler")

_REPORT_AGAIN = 30


class SchedulerHandlers:
    """Schedules one pool, whose state it holds in memory while it is the one that is spoken to.

    Parameters
    ----------
    store, bus : where state is kept, and told
    clock : what time it is
    pool : the resource pool
    timing : how patient to be
    policy : who is served next; fair share if none is given
    """

    def __init__(
        self,
        store: DocumentStore,
        bus: EventBus,
        clock: Clock,
        pool: str = "default",
        timing: Timing | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._pool = pool
        self._timing = timing
        self._policy = policy
        self._reported: PoolReported | None = None
        self._told_nothing_new = 0
        self._scheduler: Scheduler | None = None
        self._lock = asyncio.Lock()

    def forget(self) -> None:
        """Drop all state: somebody else may have scheduled since. It is loaded again when needed."""
        self._scheduler = None

    async def handle(self, batch: Sequence[Envelope]) -> None:
        """Take a batch in, place what can be placed, commit once, publish together.

        Raises
        ------
        ConflictError
            Somebody else schedules the same pool, and won twice.
        """
        async with self._lock:
            try:
                await self._work(batch)
            except ConflictError as conflict:
                log.warning("another scheduler was first; loading again", conflict=str(conflict))
                await self._work(batch)

    async def tick(self) -> None:
        """Look for lost runners; to be called every second or so."""
        async with self._lock:
            if self._scheduler is not None:  # a standby has no say
                await self._work([])

    async def report(self) -> None:
        """Tell people how the pool is, if that has changed or was not told for long; to be called every few seconds."""
        async with self._lock:
            if self._scheduler is None:
                return
            report = self._scheduler.report()
        self._told_nothing_new += 1
        if report != self._reported or self._told_nothing_new >= _REPORT_AGAIN:
            self._reported, self._told_nothing_new = report, 0
            source, now = f"scheduler/{self._pool}", self._clock()
            await self._bus.publish([Envelope.wrap(report, source=source, time=now, pool=self._pool)])

    # How it is done

    async def _work(self, batch: Sequence[Envelope]) -> None:
        try:
            scheduler = self._scheduler or await self._load()
            await self._bring_in(scheduler, batch)
            now = self._clock()
            messages = [
                message for envelope in batch for message in scheduler.hear(envelope.experimentid, envelope.data, now)
            ]
            messages += scheduler.tick(now)
            messages += scheduler.place(now)
            await self._commit(scheduler)
            await self._erase({e.experiment for e in batch if isinstance(e.data, ExperimentDeleted)})
        except BaseException:
            self.forget()  # memory ran ahead of what is stored
            raise
        self._scheduler = scheduler
        await self._publish(messages)

    async def _load(self) -> Scheduler:
        scheduler = Scheduler(self._pool, self._timing, self._policy)
        now = self._clock()
        for document in await self._store.find(RUNNERS, {"pool": self._pool}):
            scheduler.fleet.runners[document["_id"]] = Runner.from_document(document, now)
        shares = await self._store.find(EXPERIMENT_SHARES, {"pool": self._pool, "state": "active"})
        trials = await self._store.find(TRIALS, {"pool": self._pool, "open": True})
        missing = {trial["experiment_id"] for trial in trials} - {share["_id"] for share in shares}
        shares += await self._store.get(EXPERIMENT_SHARES, sorted(missing))
        scheduler.adopt(map(Execution.from_document, trials), map(Share.from_document, shares))
        log.info("pool loaded", pool=self._pool, trials=len(trials), runners=len(scheduler.fleet.runners))
        return scheduler

    async def _bring_in(self, scheduler: Scheduler, batch: Sequence[Envelope]) -> None:
        """Load the trials and experiments that a batch names and memory does not hold."""
        experiments = {envelope.experimentid for envelope in batch if envelope.experimentid}
        keys: set[Key] = {
            (envelope.experimentid, envelope.data.trial_id)
            for envelope in batch
            if envelope.experimentid and hasattr(envelope.data, "trial_id")
        }
        shares = await self._store.get(EXPERIMENT_SHARES, sorted(experiments - scheduler.shares.keys()))
        unknown = sorted(keys - scheduler.executions.keys())
        trials = await self._store.get(TRIALS, [document_id(key) for key in unknown])
        for experiment_id in {e.experiment for e in batch if isinstance(e.data, ExperimentActivated)}:
            where = {"experiment_id": experiment_id, "closed_with_experiment": True}
            known = scheduler.executions.keys() | {(t["experiment_id"], t["trial_id"]) for t in trials}
            found = await self._store.find(TRIALS, where)
            trials += [t for t in found if (t["experiment_id"], t["trial_id"]) not in known]
        if shares or trials:
            scheduler.adopt(map(Execution.from_document, trials), map(Share.from_document, shares))

    async def _commit(self, scheduler: Scheduler) -> None:
        touched = [scheduler.executions[key] for key in sorted(scheduler.changed)]
        forgotten = [e for e in touched if not e.open and scheduler.shares[e.experiment_id].deleted]
        changed = [e for e in touched if e.open or not scheduler.shares[e.experiment_id].deleted]
        for execution in changed:
            execution.version += 1
        runners = [scheduler.fleet.runners[runner_id] for runner_id in sorted(scheduler.changed_runners)]
        shares = [scheduler.shares[experiment_id] for experiment_id in sorted(scheduler.changed_shares)]
        if changed:
            await self._store.put_versioned(TRIALS, [execution.to_document() for execution in changed])
        if forgotten:
            await self._store.delete(TRIALS, {"_id": In([document_id(execution.key) for execution in forgotten])})
        if shares:
            await self._store.put(EXPERIMENT_SHARES, [share.to_document() for share in shares])
        if runners:
            await self._store.put(RUNNERS, [runner.to_document() for runner in runners])
        scheduler.committed()

    async def _erase(self, experiment_ids: set[str]) -> None:
        """Forget the trials of experiments that were deleted, but for those that still hold slots."""
        for experiment_id in sorted(experiment_ids):
            await self._store.delete(TRIALS, {"experiment_id": experiment_id, "open": False})

    async def _publish(self, messages: Sequence[Message]) -> None:
        if not messages:
            return
        now = self._clock()
        envelopes = [
            Envelope.wrap(
                message.event,
                source=f"scheduler/{self._pool}",
                time=now,
                experiment_id=message.experiment_id,
                pool=self._pool,
            )
            for message in messages
        ]
        for unwanted in await self._bus.publish(envelopes):
            log.info(
                "nobody takes this event; its runner may have left",
                type=unwanted.type,
                subject=unwanted.subject,
            )
