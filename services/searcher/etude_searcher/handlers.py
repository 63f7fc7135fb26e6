"""The searcher's shell: load, decide, commit, publish; returning acknowledges."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from etude.bus import EventBus
from etude.events import (
    Envelope,
    EventError,
    ExperimentCreated,
    ExperimentDeleted,
    ExperimentDeleteRequested,
    ExperimentResyncRequested,
    derived_id,
)
from etude.service.clock import Clock
from etude.store import Above, Below, Document, DocumentStore, DuplicateKeyError, In
from etude.store.schema import EXPERIMENTS, SEARCH_LOG, SEARCH_SNAPSHOTS
from etude_searcher.engine import SearchEngine
from etude_searcher.journal import (
    SNAPSHOT_EVERY,
    decision_document,
    decision_id,
    experiment_document,
    latest_snapshot,
    recorded_decision,
    snapshot_documents,
    tombstone,
)
from etude_searcher.search import Decision, Search, State
from etude_searcher.silence import Silence

log = structlog.get_logger("etude.searcher")

_ENDED_KEPT = 64
_REMEMBER_ENDS = timedelta(days=1)
_SHORTEST_SILENCE = timedelta(seconds=5)
_LONGEST_SILENCE = timedelta(seconds=300)


@dataclass
class _Work:
    """What a batch leads to."""

    searches: dict[str, Search] = field(default_factory=dict)
    created_at: dict[str, str] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    log: dict[str, Document] = field(default_factory=dict)
    snapshots: list[Document] = field(default_factory=list)
    deleted: dict[str, tuple[int, str]] = field(default_factory=dict)  # to the last decision, and the pool
    outgoing: list[Envelope] = field(default_factory=list)
    resync: list[str] = field(default_factory=list)


class SearchHandlers:
    """Decides for the experiments of one partition, whose states it holds in memory.

    Parameters
    ----------
    store, bus : where decisions are kept, and told
    clock : what time it is
    deadline : seconds that a decision waits for a sampler that thinks; then it draws at random
    """

    def __init__(self, store: DocumentStore, bus: EventBus, clock: Clock, deadline: float = 0.05) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._active: dict[str, Search] = {}
        self._ended: OrderedDict[str, Search] = OrderedDict()
        self._created_at: dict[str, str] = {}
        self._deadline = deadline
        self._thoughts: dict[str, asyncio.Task[None]] = {}
        self._silences: dict[str, Silence] = {}
        self._lock = asyncio.Lock()  # between deciding and committing memory is ahead of what is stored

    @property
    def busy(self) -> bool:
        """Does it decide for experiments that go on?"""
        return bool(self._active)

    def forget(self) -> None:
        """Drop all state: somebody else may have decided since. It is loaded again when needed."""
        self._active.clear()
        self._ended.clear()
        self._silences.clear()

    async def handle(self, batch: Sequence[Envelope]) -> None:
        """Decide on a batch, in order; commit once, publish together.

        Raises
        ------
        EventError
            An event names an experiment or a trial that does not exist.
        DuplicateKeyError
            Somebody else decides on the same experiments, and won twice.
        """
        await self._wait_for_thoughts(batch)
        async with self._lock:
            try:
                work = await self._decide_and_commit(batch)
            except DuplicateKeyError:
                log.warning("another searcher decided first; loading again")
                work = await self._decide_and_commit(batch)
            await self._publish(work.outgoing)
            for experiment_id in dict.fromkeys(work.resync):
                await self.retell(experiment_id)
        self._record_events(work)
        self._think_ahead(work)

    async def break_silences(self) -> None:
        """Publish again what is wanted in searches that have had no event for longer than usual.

        To be called every second or so.
        """
        async with self._lock:
            for experiment_id, silence in list(self._silences.items()):
                search = self._active.get(experiment_id)
                if search is None:
                    del self._silences[experiment_id]
                elif search.state is State.ACTIVE and silence.take_due(self._clock()):
                    await self._publish(self._reminders(experiment_id, search))

    async def repair(self) -> None:
        """Tell again what should be, for all experiments that go on or have ended lately."""
        going_on = In([State.ACTIVE.value, State.PAUSED.value])
        documents = await self._store.find(EXPERIMENTS, {"state": going_on})
        since = (self._clock() - _REMEMBER_ENDS).isoformat()
        documents += [
            document
            for document in await self._store.find(EXPERIMENTS, {"changed_at": Above(since)})
            if State(document["state"]).ended
        ]
        for document in documents:
            search = await self._load(document["_id"])
            if search is not None:
                await self._publish(self._reminders(document["_id"], search))
            elif deletion := await self._deletion(document["_id"]):
                await self._publish(_envelopes(document["_id"], deletion, document["pool"], self._clock()))

    async def retell(self, experiment_id: str) -> None:
        """Tell everything again: each decision, and the report that it answered."""
        search = await self._load(experiment_id)
        documents = await self._store.find(SEARCH_LOG, {"experiment_id": experiment_id}, order_by=("seq",))
        for document in documents:
            decision, now = recorded_decision(document), self._clock()
            pool = search.pool if search else (await self._document(experiment_id))["pool"]
            told = _envelopes(experiment_id, decision, pool, now)
            if decision.seq > 0:
                cause = Envelope.wrap(
                    decision.cause,
                    id=decision.cause_id,
                    source="searcher",
                    time=datetime.fromisoformat(document["at"]),
                    experiment_id=experiment_id,
                    pool=pool,
                )
                told.insert(0, cause)
            await self._publish(told)

    def _record_events(self, work: _Work) -> None:
        now = self._clock()
        for experiment_id in work.searches:
            if experiment_id in self._silences:
                self._silences[experiment_id].record_event(now)
            else:
                self._silences[experiment_id] = Silence(now, _SHORTEST_SILENCE, _LONGEST_SILENCE)

    # Samplers that think

    async def _wait_for_thoughts(self, batch: Sequence[Envelope]) -> None:
        thoughts = {self._thoughts[e.experiment] for e in batch if e.experimentid in self._thoughts}
        if thoughts:
            await asyncio.wait(thoughts, timeout=self._deadline)

    def _think_ahead(self, work: _Work) -> None:
        """Let samplers prepare their next draw while nothing is to be decided."""
        for experiment_id, search in work.searches.items():
            engine = search.engine
            if engine is not None and engine.thinks and experiment_id not in self._thoughts:
                self._thoughts[experiment_id] = asyncio.create_task(self._think(engine, experiment_id))

    async def _think(self, engine: SearchEngine, experiment_id: str) -> None:
        try:
            await asyncio.to_thread(engine.prepare)
        except Exception:
            log.exception("a sampler failed; it draws at random", experiment_id=experiment_id)
        finally:
            self._thoughts.pop(experiment_id, None)

    # How it is done

    async def _decide_and_commit(self, batch: Sequence[Envelope]) -> _Work:
        work = _Work()
        try:
            for envelope in batch:
                await self._decide(envelope, work)
            await self._commit(work)
        except BaseException:
            for experiment_id in work.searches:  # memory ran ahead of what is stored
                self._active.pop(experiment_id, None)
                self._ended.pop(experiment_id, None)
            raise
        return work

    async def _decide(self, envelope: Envelope, work: _Work) -> None:
        experiment_id, event = envelope.experiment, envelope.data
        search = self._active.get(experiment_id) or self._ended.get(experiment_id)
        if search is None:
            search = await self._load(experiment_id)
            work.changed.add(experiment_id)  # whoever held it before may not have come to writing its document
        if search is None:
            if await self._was_deleted(envelope, work):
                return
            if isinstance(event, ExperimentResyncRequested):
                work.changed.discard(experiment_id)
                work.outgoing.append(_disavowal(envelope, self._clock()))
                return
            if not isinstance(event, ExperimentCreated):
                raise EventError(f"no experiment {experiment_id} is known; publish experiment.created first")
            search = Search(event)
            self._keep(experiment_id, search)
            work.searches[experiment_id] = search
            work.created_at[experiment_id] = envelope.time.isoformat()
            self._record(envelope, search, search.begin(envelope.id), work)
            return
        self._keep(experiment_id, search)
        work.searches[experiment_id] = search
        if isinstance(event, ExperimentResyncRequested):
            work.resync.append(experiment_id)
            return
        before = search.decided(event, envelope.id)
        if before is not None:
            work.outgoing += await self._said_before(experiment_id, before, search, work)
            return
        decision = search.decide(event, envelope.id)
        if decision is not None:
            self._record(envelope, search, decision, work)

    def _record(self, envelope: Envelope, search: Search, decision: Decision, work: _Work) -> None:
        experiment_id, now = envelope.experiment, self._clock()
        document = decision_document(experiment_id, decision, now)
        work.log[document["_id"]] = document
        work.changed.add(experiment_id)
        if search.seq % SNAPSHOT_EVERY == 0:
            work.snapshots += snapshot_documents(experiment_id, search)
        work.outgoing += _envelopes(experiment_id, decision, search.pool, now)

    async def _commit(self, work: _Work) -> None:
        if work.log:
            await self._store.insert(SEARCH_LOG, list(work.log.values()))
        documents = []
        for experiment_id in sorted(work.changed):
            search = work.searches[experiment_id]
            if search.state is State.DELETED:
                work.deleted[experiment_id] = (search.seq - 1, search.pool)
                continue
            created_at = work.created_at.get(experiment_id) or await self._creation_time(experiment_id)
            documents.append(experiment_document(experiment_id, search, created_at, self._clock()))
            self._keep(experiment_id, search)
            if search.state.ended:
                log.info("experiment ended", experiment_id=experiment_id, state=search.state.value)
        if documents:
            await self._store.put_latest(EXPERIMENTS, documents, by="seq")
        if work.snapshots:
            await self._store.put(SEARCH_SNAPSHOTS, work.snapshots)
        for experiment_id, (last, pool) in sorted(work.deleted.items()):
            await self._erase(experiment_id, last, pool)

    async def _erase(self, experiment_id: str, last: int, pool: str) -> None:
        """Leave nothing of a deleted experiment but its last decision, a fence for who decides from memory."""
        self._ended.pop(experiment_id, None)
        self._created_at.pop(experiment_id, None)
        await self._store.delete(SEARCH_SNAPSHOTS, {"experiment_id": experiment_id})
        await self._store.delete(SEARCH_LOG, {"experiment_id": experiment_id, "seq": Below(last)})
        await self._store.put_latest(EXPERIMENTS, [tombstone(experiment_id, last, pool, self._clock())], by="seq")
        log.info("experiment deleted", experiment_id=experiment_id)

    async def _was_deleted(self, envelope: Envelope, work: _Work) -> bool:
        """An experiment that was deleted: what is still told of it is ignored, and who asks for it again is told so."""
        experiment_id = envelope.experiment
        deletion = await self._deletion(experiment_id)
        if deletion is None:
            return False
        work.changed.discard(experiment_id)
        document = await self._document(experiment_id)
        if document["state"] != State.DELETED.value:  # a crash came between
            work.deleted[experiment_id] = (deletion.seq, document["pool"])
        if isinstance(envelope.data, ExperimentDeleteRequested | ExperimentResyncRequested):
            work.outgoing += _envelopes(experiment_id, deletion, document["pool"], self._clock())
        return True

    async def _document(self, experiment_id: str) -> Document:
        [document] = await self._store.get(EXPERIMENTS, [experiment_id])
        return document

    async def _deletion(self, experiment_id: str) -> Decision | None:
        """The decision that an experiment be deleted, if it was."""
        last = await self._store.find(SEARCH_LOG, {"experiment_id": experiment_id}, ("-seq",), 1)
        decision = recorded_decision(last[0]) if last else None
        return decision if decision and decision.deletes else None

    async def _creation_time(self, experiment_id: str) -> str:
        if experiment_id not in self._created_at:
            [first] = await self._store.get(SEARCH_LOG, [decision_id(experiment_id, 0)])
            self._created_at[experiment_id] = first["at"]
        return self._created_at[experiment_id]

    def _keep(self, experiment_id: str, search: Search) -> None:
        if not search.state.ended:
            self._active[experiment_id] = search
            return
        self._active.pop(experiment_id, None)
        self._ended[experiment_id] = search
        self._ended.move_to_end(experiment_id)
        while len(self._ended) > _ENDED_KEPT:
            self._ended.popitem(last=False)

    async def _load(self, experiment_id: str) -> Search | None:
        search = latest_snapshot(await self._store.find(SEARCH_SNAPSHOTS, {"experiment_id": experiment_id}))
        known = search.seq if search else 0
        tail = await self._store.find(
            SEARCH_LOG, {"experiment_id": experiment_id, "seq": Above(known - 1)}, order_by=("seq",)
        )
        decisions = [recorded_decision(document) for document in tail]
        if decisions and decisions[-1].deletes:
            return None
        if search is None:
            if not decisions:
                return None
            created = decisions[0].cause
            assert isinstance(created, ExperimentCreated)
            search = Search(created)
        search.replay(decisions)
        log.info("search loaded", experiment_id=experiment_id, decisions=search.seq, replayed=len(decisions))
        if search.diverged_at is not None:
            log.warning(
                "the log holds a decision that this version would have made otherwise; what it holds counts",
                experiment_id=experiment_id,
                seq=search.diverged_at,
            )
        return search

    async def _said_before(self, experiment_id: str, seq: int, search: Search, work: _Work) -> list[Envelope]:
        key = decision_id(experiment_id, seq)
        documents = [work.log[key]] if key in work.log else await self._store.get(SEARCH_LOG, [key])
        decisions = map(recorded_decision, documents)
        return [e for d in decisions for e in _envelopes(experiment_id, d, search.pool, self._clock())]

    def _reminders(self, experiment_id: str, search: Search) -> list[Envelope]:
        return [
            Envelope.wrap(event, source="searcher", time=self._clock(), experiment_id=experiment_id, pool=search.pool)
            for event in search.reminders()
        ]

    async def _publish(self, envelopes: Sequence[Envelope]) -> None:
        for unwanted in await self._bus.publish(envelopes) if envelopes else []:
            log.warning(
                "no queue takes this event; is its resource pool served?",
                type=unwanted.type,
                pool=unwanted.pool,
            )


def _envelopes(experiment_id: str, decision: Decision, pool: str, now: datetime) -> list[Envelope]:
    return [
        Envelope.wrap(
            event,
            id=derived_id(experiment_id, decision.seq, index),
            source="searcher",
            time=now,
            experiment_id=experiment_id,
            causation_id=decision.cause_id,
            pool=pool,
        )
        for index, event in enumerate(decision.events)
    ]


def _disavowal(asked: Envelope, now: datetime) -> Envelope:
    """Of an experiment that was never made, or whose decisions are gone, nothing is to be kept."""
    log.warning("asked about an unknown experiment, which is to be forgotten", experiment_id=asked.experiment)
    event = ExperimentDeleted(revision=0, requested_by=getattr(asked.data, "requested_by", ""))
    return Envelope.wrap(
        event,
        source="searcher",
        time=now,
        experiment_id=asked.experiment,
        causation_id=asked.id,
        pool=asked.pool,
    )
