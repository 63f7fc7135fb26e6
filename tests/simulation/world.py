"""World: services, runners and experiments, and a god who throws dice."""

import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from etude.bus import MemoryBroker
from etude.events import (
    AllocationGranted,
    CheckpointSaved,
    Envelope,
    Event,
    ExperimentActivateRequested,
    ExperimentCancelRequested,
    ExperimentChangeRequested,
    ExperimentCreated,
    ExperimentDeleteRequested,
    ExperimentKillRequested,
    ExperimentPauseRequested,
    ExperimentRetryRequested,
    ModelDefinition,
    Slot,
    ValidationCompleted,
)
from etude.service.clock import Clock
from etude.store import Document, SqliteStore
from etude.store.schema import (
    COLLECTIONS,
    EXPERIMENT_SHARES,
    EXPERIMENT_VIEWS,
    EXPERIMENTS,
    SEARCH_LOG,
    TRIAL_VIEWS,
    TRIALS,
    VALIDATIONS,
)
from etude_metrics.service import MetricsService
from etude_scheduler.scheduler import Timing
from etude_scheduler.service import SchedulerService
from etude_searcher.journal import recorded_decision
from etude_searcher.search import Search, State
from etude_searcher.service import SearcherService
from etude_trial_runner.agent import Agent, Machine
from etude_trial_runner.allocation import Patience
from etude_trial_runner.outbox import Outbox
from etude_trial_runner.spool import Spool
from tests.e2e.audit import audit
from tests.simulation.chaos import ChaosBus, ChaosStore, Weather
from tests.simulation.clock import virtual_now
from tests.simulation.trials import Luck, SimulatedLauncher

RUNNERS = 50
LONGEST_SKEW = 20.0  # seconds by which a machine's clock may be wrong
CUTS = 0.3  # of all that happens to a part; the rest are crashes
DISKS_LOST = 0.2  # of a machine that crashes: another one takes its place
METRICS = ("metrics-1", "metrics-2")
NEVER = 1e9  # seconds: no recovery may wait for a repair timer
LONGEST = 6 * 3600.0  # virtual seconds
Part = Callable[[ChaosBus, Clock], Awaitable[Callable[[], Awaitable[None]]]]
"""Starts a part of the world on its connection and by its clock; returns how to crash it."""


@dataclass
class Story:
    """What happened, for the audit."""

    leases: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    crashes: int = 0
    cuts: int = 0
    emptied: int = 0
    told: list[str] = field(default_factory=list)

    def published(self, envelope: Envelope) -> None:
        """An event was published."""
        self.told.append(f"{envelope.time.isoformat()} {envelope.type} {envelope.subject}")
        if isinstance(envelope.data, AllocationGranted):
            key = (envelope.experiment, envelope.data.trial_id)
            self.leases.setdefault(key, []).append(envelope.data.lease_number)


class World:
    """One simulated installation.

    Parameters
    ----------
    seed : decides everything
    calm : nothing goes wrong, for comparison
    runners : how many there are
    """

    def __init__(self, seed: int, calm: bool = False, runners: int = RUNNERS) -> None:
        self._runners = runners
        self.dice = random.Random(seed)
        self.weather = Weather(0, 0, 0, 0) if calm else Weather()
        self.luck = Luck(0, 0, 0, 0) if calm else Luck()
        self.calm = calm
        self.broker = MemoryBroker()
        self.store = SqliteStore()
        self.story = Story()
        self._lives: dict[str, int] = {}
        self._buses: dict[str, ChaosBus] = {}
        self._spools: defaultdict[str, Spool] = defaultdict(Spool)
        self._struck: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def strike(self, name: str) -> None:
        """Crash a part now, whatever the dice say; it starts again, at once in calm weather."""
        self._struck[name].set()

    async def run(self, configs: dict[str, dict[str, Any]]) -> None:
        """Run experiments to their end while parts crash and restart, then let everything settle."""
        await self.store.open()
        parts: dict[str, Part] = {
            **{f"searcher-{n}": self._searcher for n in (1, 2)},
            **{f"scheduler-{n}": self._scheduler for n in (1, 2)},
            **dict.fromkeys(METRICS, self._metrics),
            **{f"runner-{n}": self._runner_part(f"runner-{n}") for n in range(self._runners)},
        }
        fates = [asyncio.create_task(self._live_and_die(name, part)) for name, part in parts.items()]
        publisher = self._bus()
        for experiment_id, config in configs.items():
            await publisher.publish([_created(experiment_id, config)])
        wishes = asyncio.create_task(self._wish(publisher, sorted(configs)))
        doom = asyncio.create_task(self._doom(publisher))
        more = asyncio.create_task(self._want_more(publisher))
        floods = asyncio.create_task(self._empty_broker_now_and_then())
        async with asyncio.timeout(LONGEST):
            while not (await self._all_ended(len(configs)) and more.done()):
                await asyncio.sleep(5)
            floods.cancel()  # a person who asks for a deletion would ask again
            await publisher.publish([_wrap("doomed", ExperimentDeleteRequested())])
            await asyncio.sleep(60)  # what is still on its way arrives
            while not await self._all_settled():
                await asyncio.sleep(5)
        tasks = (*fates, wishes, doom, more, floods)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def audit(self) -> None:
        """Check what must be true at the end."""
        assert self.broker.dead == []
        for experiment in await self.store.find(EXPERIMENTS, {}):
            experiment_id = experiment["_id"]
            if experiment_id == "doomed":
                assert experiment["state"] == "deleted"
                assert await self._left("doomed") == {"search_log": 1}
                continue
            log = await self.store.find(SEARCH_LOG, {"experiment_id": experiment_id}, ("seq",))
            audit(log)
            _replay(log)
            [view] = await self.store.get(EXPERIMENT_VIEWS, [experiment_id])
            assert view["state"] == experiment["state"]
            assert view["best"] == experiment["best"]
        for trial in await self.store.find(TRIALS, {}):
            assert not trial["open"], trial
            [view] = await self.store.get(TRIAL_VIEWS, [trial["_id"]])
            assert (view["attempt"], view["close_reason"]) == (trial["attempt"], trial["closed"]), (view, trial)
        for key, leases in self.story.leases.items():
            assert leases == sorted(leases), f"trial {key} was granted leases {leases}"

    async def _all_ended(self, count: int) -> bool:
        ended = await self.store.find(EXPERIMENTS, {})
        return len(ended) == count and all(State(e["state"]).ended for e in ended)

    async def _all_settled(self) -> bool:
        experiments = await self.store.find(EXPERIMENTS, {})
        views = {view["_id"]: view for view in await self.store.find(EXPERIMENT_VIEWS, {})}
        open_trials = await self.store.count(TRIALS, {"open": True})
        agreed = all(views[e["_id"]]["state"] == e["state"] for e in experiments)
        erased = await self._left("doomed") == {"search_log": 1}
        return open_trials == 0 and agreed and erased and not await self._unstored()

    async def _unstored(self) -> set[str]:
        """Validations that were decided on and are not stored."""
        decided = {
            f"{decision['experiment_id']}/{report.trial_id}/{report.length.amount}"
            for decision in await self.store.find(SEARCH_LOG, {})
            if isinstance(report := recorded_decision(decision).cause, ValidationCompleted)
        }
        stored = await self.store.get(VALIDATIONS, sorted(decided))
        return decided - {validation["_id"] for validation in stored}

    async def _left(self, experiment_id: str) -> dict[str, int]:
        """Documents of an experiment, by collection."""
        where = {"experiment_id": experiment_id}
        counts = {c.name: await self.store.count(c, where) for c in COLLECTIONS if c is not EXPERIMENT_SHARES}
        return {name: count for name, count in counts.items() if count}

    # Lives

    async def _live_and_die(self, name: str, part: Part) -> None:
        """A part's life: it starts, is cut off for a while, crashes, stays down for a while, and starts again."""
        skew = timedelta(seconds=0 if self.calm else self.dice.uniform(-LONGEST_SKEW, LONGEST_SKEW))
        while True:
            self._lives[name] = self._lives.get(name, 0) + 1
            bus = self._buses[name] = self._bus()
            crash = await part(bus, lambda: virtual_now() + skew)
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1e9 if self.calm else self.dice.expovariate(1 / 150)):
                        await self._struck[name].wait()
                self._struck[name].clear()
                while not self.calm and self.dice.random() < CUTS:
                    self.story.cuts += 1
                    await bus.cut(self.dice.expovariate(1 / 30))
                    await asyncio.sleep(self.dice.expovariate(1 / 100))
            finally:
                await crash()
            self.story.crashes += 1
            if self.dice.random() < DISKS_LOST:
                self._spools.pop(name, None)
            await asyncio.sleep(0 if self.calm else self.dice.expovariate(1 / 15))

    async def _wish(self, bus: ChaosBus, experiment_ids: list[str]) -> None:
        """A person who pauses and activates."""
        await asyncio.sleep(25)  # people wish for what they see: not before the experiment is known
        while not self.calm:
            await asyncio.sleep(self.dice.expovariate(1 / 200))
            experiment_id = self.dice.choice(experiment_ids)
            await bus.publish([_wrap(experiment_id, ExperimentPauseRequested())])
            await asyncio.sleep(self.dice.expovariate(1 / 30) + 25)  # longer than any delay, so that it comes second
            await bus.publish([_wrap(experiment_id, ExperimentActivateRequested())])

    async def _doom(self, bus: ChaosBus) -> None:
        """A person who loses patience with one of the experiments."""
        await asyncio.sleep(30 + self.dice.expovariate(1 / 100))
        wish = self.dice.choice([ExperimentCancelRequested, ExperimentKillRequested])
        await bus.publish([_wrap("doomed", wish(requested_by="person"))])

    async def _want_more(self, bus: ChaosBus) -> None:
        """A person who extends a search, and tries again what failed, while it runs or after its end."""
        if not self.calm:
            await asyncio.sleep(25 + self.dice.expovariate(1 / 120))
            experiment_id, trials = self.dice.choice([("halving", 14), ("random", 8)])
            await bus.publish([_wrap(experiment_id, ExperimentChangeRequested(max_trials=trials))])
            for _ in range(3):
                await asyncio.sleep(self.dice.expovariate(1 / 100))
                await bus.publish([_wrap(experiment_id, ExperimentRetryRequested())])

    async def _empty_broker_now_and_then(self) -> None:
        await asyncio.sleep(25)  # nothing stands behind experiment.created until it is known
        while not self.calm:
            await asyncio.sleep(self.dice.expovariate(1 / 200))
            deaf = METRICS if self.dice.random() < 0.5 else ()
            await self.empty_broker(self.dice.expovariate(1 / 5), deaf, self.dice.expovariate(1 / 20))

    async def empty_broker(self, seconds: float, deaf: Sequence[str] = (), deaf_seconds: float = 0.0) -> None:
        """The broker is gone for so long, and comes back without its disk.

        Parameters
        ----------
        deaf : parts that hear nothing for some time before; then all runners crash, too
        """
        self.story.emptied += 1
        lost = [self._buses[name] for name in deaf]
        try:
            for bus in lost:
                await bus.lose()
            await asyncio.sleep(deaf_seconds)
            for number in range(self._runners if deaf else 0):
                self.strike(f"runner-{number}")
            lost += self._buses.values()
            for bus in lost:
                await bus.lose()
            for queue in self.broker.queues.values():
                queue.ready.clear()
            await asyncio.sleep(seconds)
        finally:
            for bus in lost:
                await bus.connect()

    def _bus(self) -> ChaosBus:
        return ChaosBus(self.broker, self.dice, self.weather, self.story.published)

    def _chaos_store(self) -> ChaosStore:
        return ChaosStore(self.store, self.dice, self.weather)

    async def _searcher(self, bus: ChaosBus, clock: Clock) -> Callable[[], Awaitable[None]]:
        service = SearcherService(bus, self._chaos_store(), clock, repair_seconds=NEVER)
        await service.start()
        return service.close

    async def _scheduler(self, bus: ChaosBus, clock: Clock) -> Callable[[], Awaitable[None]]:
        timing = Timing(runner_timeout=timedelta(seconds=50))
        service = SchedulerService(bus, self._chaos_store(), clock, timing=timing)
        await service.start()
        return service.close

    async def _metrics(self, bus: ChaosBus, clock: Clock) -> Callable[[], Awaitable[None]]:
        service = MetricsService(bus, self._chaos_store(), "mem://all", clock, aside=_at_once)
        await service.start()
        return service.close

    def _runner_part(self, name: str) -> Part:
        async def start(bus: ChaosBus, clock: Clock) -> Callable[[], Awaitable[None]]:
            machine = Machine(
                runner_id=name,
                session=f"{self._lives[name]:06d}",
                slots=[Slot(id="0")],
                storage="mem://all",
                heartbeat=20.0,
                patience=Patience(resend=10, hand_back=30, stop=30),
            )
            agent = Agent(
                machine,
                bus,
                Outbox(bus, self._spools[name]),
                SimulatedLauncher(self.dice, self.luck),
                _fetch,
                clock,
                discard=_discard,
                find_earlier=_find_no_earlier,
            )
            await agent.start()
            return agent.close

        return start


async def _fetch(definition: ModelDefinition) -> Path:
    return Path("/nowhere")


async def _find_no_earlier(*_: object) -> list[CheckpointSaved]:
    """A simulated trial reports its checkpoints as it saves them."""
    return []


async def _at_once(call: Callable[[str], Any], argument: str) -> Any:
    """A thread would live by another clock."""
    return call(argument)


async def _discard(uri: str, experiment_id: str, trial_id: int) -> None:
    """There are no files."""


def _created(experiment_id: str, config: dict[str, Any]) -> Envelope:
    definition = ModelDefinition(uri="mem://model", sha256="0" * 64, size=1)
    return _wrap(experiment_id, ExperimentCreated(config=config, model_definition=definition, seed=len(experiment_id)))


def _wrap(experiment_id: str, event: Event) -> Envelope:
    return Envelope.wrap(event, source="person", time=virtual_now(), experiment_id=experiment_id)


def _replay(log: list[Document]) -> None:
    """The pure search, given the same causes, decides the same."""
    first = recorded_decision(log[0])
    assert isinstance(first.cause, ExperimentCreated)
    search = Search(first.cause)
    decisions = [search.begin()]
    for document in log[1:]:
        decision = search.decide(recorded_decision(document).cause)
        assert decision is not None
        decisions.append(decision)
    assert [d.events for d in decisions] == [recorded_decision(document).events for document in log]
