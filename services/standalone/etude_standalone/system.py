"""System: a whole etude installation inside one process, with its memory in one folder."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from etude.artifacts import fetch_model_definition
from etude.artifacts.storage import local_url
from etude.bus import MemoryBroker, MemoryBus
from etude.events import Envelope, Event, ModelDefinition, RunnerChangeRequested
from etude.home import LOCAL_DATABASE
from etude.service.clock import utc_now
from etude.service.settings import from_environment
from etude.store import SqliteStore
from etude_metrics.api.queries import Queries
from etude_metrics.service import MetricsService
from etude_scheduler.service import SchedulerService
from etude_searcher.service import SearcherService
from etude_trial_runner.agent import Agent, Machine
from etude_trial_runner.bubblewrap_launcher import BubblewrapLauncher
from etude_trial_runner.container_launcher import ContainerLauncher
from etude_trial_runner.departure import Departure
from etude_trial_runner.isolating_launcher import IsolatingLauncher
from etude_trial_runner.outbox import Outbox
from etude_trial_runner.preload import PreloadSettings
from etude_trial_runner.slots import cores, detect_slots, resident_memory, threads_per_slot
from etude_trial_runner.spool import Spool
from etude_trial_runner.work_folder import WorkFolder
from etude_trial_runner.zygote_launcher import ZygoteLauncher

_RUNNER = "local"


class System:
    """Searcher, scheduler, runner and metrics on a memory bus and SQLite.

    Parameters
    ----------
    home : folder for everything that is kept; made by :meth:`start`
    session : of the runner
    slots : how many to offer; by default every CUDA device, or one CPU share a core
    pool : the one resource pool that is served
    residents : bytes that paused trials may hold together; by default a quarter of the memory, on GPUs none
    """

    def __init__(
        self, home: Path, session: str, slots: int | None = None, pool: str = "default", residents: int | None = None
    ) -> None:
        self.home = home
        self.storage = local_url(home / "artifacts")
        self.slots = detect_slots(slots)
        self.store = SqliteStore(home / LOCAL_DATABASE)
        self.queries = Queries(self.store)
        self._pool = pool
        self._residents = resident_memory(self.slots) if residents is None else residents
        self._session = session
        self._broker = MemoryBroker(pools=(pool,))
        self._bus = MemoryBus(self._broker)
        self._searcher = SearcherService(self._bus, self.store, utc_now)
        self._scheduler = SchedulerService(self._bus, self.store, utc_now, pool)
        self._metrics = MetricsService(self._bus, self.store, self.storage)

    async def start(self) -> None:
        """Open the store and start all services."""
        await self.store.open()
        self._folder = WorkFolder(self.home / "runner")
        await asyncio.to_thread(self._folder.clear, self.home / "artifacts" / "checkpoints")
        self._agent = self._make_agent(self._folder)
        await self._launcher.start()
        await self._metrics.start()
        await self._scheduler.start()
        await self._searcher.start()
        await self._agent.start()
        await self.publish(self._enable_runner())

    def _enable_runner(self) -> Envelope:
        """The one runner of this machine serves whoever runs here, whatever an earlier run thought of it."""
        event = RunnerChangeRequested(runner_id=_RUNNER, enabled=True, requested_by="etude run")
        return Envelope.wrap(event, source="client", time=utc_now(), pool=self._pool)

    async def close(self) -> None:
        """Stop everything; what is known stays in the folder."""
        await self.drain()
        await self._agent.close()
        self._folder.close()
        await self._searcher.close()
        await self._scheduler.close()
        await self._metrics.close()
        await self._bus.close()
        await self.store.close()

    async def drain(self) -> list[Departure]:
        """Stop all trials, with checkpoints; returns what became of those that ran."""
        departures = await self._agent.drain()
        await self.settle()
        return departures

    @property
    def stuck(self) -> str | None:
        """Why an event could not be dealt with, if there is one."""
        return self._broker.dead[0].reason if self._broker.dead else None

    async def publish(self, *envelopes: Envelope) -> None:
        """Put events on the bus."""
        await self._bus.publish(envelopes)

    async def take(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        """Put events of others on the bus; returns those that nobody wants."""
        return await self._bus.publish(envelopes)

    async def tell(self, experiment_id: str, event: Event) -> None:
        """Put a person's wish on the bus."""
        await self.publish(
            Envelope.wrap(event, source="client", time=utc_now(), experiment_id=experiment_id, pool=self._pool)
        )

    async def remember(self, experiment_id: str) -> None:
        """Bring an experiment of an earlier process back."""
        await self._searcher.retell(experiment_id)
        await self.settle()

    async def settle(self, timeout: float = 10.0) -> None:
        """Wait until every event is dealt with."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not self._broker.idle:
                    await asyncio.sleep(0.02)

    def _make_agent(self, folder: WorkFolder) -> Agent:
        work = folder.path

        async def fetch(definition: ModelDefinition) -> Path:
            return await asyncio.to_thread(fetch_model_definition, definition, work / "model_definitions")

        machine = Machine(
            runner_id=_RUNNER,
            session=self._session,
            slots=self.slots,
            storage=self.storage,
            pool=self._pool,
            cores=cores(),
            resident_memory=self._residents,
            threads_per_slot=threads_per_slot(len(self.slots)),
            temporary_prefix=folder.temporary_prefix,
        )
        self._launcher = ZygoteLauncher(work, from_environment(PreloadSettings).preload)
        outbox = Outbox(self._bus, Spool(work / "spool.db"))
        name = _RUNNER if folder.is_ours else f"{_RUNNER}-{self._session}"
        isolating = IsolatingLauncher(
            {
                "process": self._launcher,
                "bubblewrap": BubblewrapLauncher(work),
                "container": ContainerLauncher(work, name, allowed_mounts=[Path("/")]),
            }
        )
        return Agent(machine, self._bus, outbox, isolating, fetch, utc_now)
