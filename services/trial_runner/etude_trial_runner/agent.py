"""Agent: one machine of the fleet. Says that it is there, and carries out what it is granted."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from etude.artifacts import ArtifactError
from etude.artifacts.checkpoint import delete_checkpoint
from etude.artifacts.places import PlaceError
from etude.bus import EventBus, Subscription
from etude.bus.topology import janitor, runner_commands
from etude.config import ConfigError
from etude.errors import Unavailable
from etude.events import (
    AllocationEnded,
    AllocationExtended,
    AllocationGranted,
    AllocationReleased,
    AllocationRevoked,
    CheckpointDeleted,
    CheckpointDiscarded,
    CheckpointSaved,
    EndReason,
    Envelope,
    Event,
    RunnerDraining,
    RunnerHeartbeat,
    RunnerJoined,
    RunnerLeft,
    Slot,
)
from etude.service.clock import Clock
from etude.service.runtime import every
from etude_trial_runner.allocation import Allocation, Fetch, Patience
from etude_trial_runner.assignments import Place
from etude_trial_runner.departure import Departure
from etude_trial_runner.earlier_leases import read_earlier_checkpoints
from etude_trial_runner.journal import Journal
from etude_trial_runner.launcher import Launcher
from etude_trial_runner.outbox import Outbox
from etude_trial_runner.residents import Resident, Residents, end, memory_is_short

log = structlog.get_logger("etude.runner")

_ENDINGS_KEPT = 1000
_SAME_SIGNAL_SECONDS = 10.0  # in which a signal to all processes reaches this one after those of trials
_TELL_SECONDS = 10.0  # for what a runner says when it leaves
Lease = tuple[str, int, int]
"""Experiment, trial, lease number."""
Discard = Callable[[str, str, int], Awaitable[None]]
"""Deletes the files of a checkpoint: its URI, and whose it is, experiment and trial."""


FindEarlier = Callable[[str, AllocationGranted, str], Awaitable[list[CheckpointSaved]]]
"""Finds the checkpoints of a trial's earlier leases: experiment, what is granted, URL of the runner's storage."""


async def find_in_storage(experiment_id: str, granted: AllocationGranted, storage: str) -> list[CheckpointSaved]:
    """Look where they lie, meanwhile doing other things."""
    return await asyncio.to_thread(read_earlier_checkpoints, experiment_id, granted, storage)


async def from_storage(uri: str, experiment_id: str, trial_id: int) -> None:
    """Delete the files of a trial's checkpoint where they lie, meanwhile doing other things."""
    await asyncio.to_thread(delete_checkpoint, uri, experiment_id, trial_id)


@dataclass(frozen=True)
class Machine:
    """What a runner is.

    Attributes
    ----------
    session : of this life of the runner; begins with the time, so that later lives sort after earlier ones
    threads_per_slot : CPU threads for each slot
    cores : CPU cores: how many trials without a slot may run at a time
    address : where the runners of a gang meet, if this is the first
    refusing : says why no new trial is taken for now; empty if one is
    resident_memory : bytes that paused trials may hold together, so that a promotion finds them in memory
    storage : URL for the artifacts of experiments that name no storage
    temporary_prefix : how the names of its trials' temporary folders begin
    heartbeat : seconds between two heartbeats
    """

    runner_id: str
    session: str
    slots: list[Slot]
    storage: str
    pool: str = "default"
    labels: list[str] = field(default_factory=list)
    host: str = ""
    threads_per_slot: int = 1
    cores: int = 1
    address: str = "127.0.0.1"
    resident_memory: int = 0
    refusing: Callable[[], str] = str
    temporary_prefix: str = "etude-trial-"
    heartbeat: float = 5.0
    patience: Patience = field(default_factory=Patience)

    @property
    def kind(self) -> str:
        """``cuda`` or ``cpu``."""
        return self.slots[0].kind if self.slots else "cpu"

    @property
    def place(self) -> Place:
        """What it has for each trial."""
        return Place(self.storage, self.kind, self.threads_per_slot, self.address, self.temporary_prefix)


class Agent:
    """Carries out allocations on one machine.

    It trusts nobody's memory: heartbeats list all that runs, a grant that comes twice is carried out once, and the
    ending of a lease is told again to whoever grants it again.
    """

    def __init__(
        self,
        machine: Machine,
        bus: EventBus,
        outbox: Outbox,
        launcher: Launcher,
        fetch: Fetch,
        clock: Clock,
        journal: Journal | None = None,
        discard: Discard = from_storage,
        find_earlier: FindEarlier = find_in_storage,
    ) -> None:
        self.machine = machine
        self._bus = bus
        self._outbox = outbox
        self._launcher = launcher
        self._fetch = fetch
        self._clock = clock
        self._journal = journal
        self._discard = discard
        self._find_earlier = find_earlier
        self._allocations: dict[Lease, Allocation] = {}
        self._tasks: dict[Lease, asyncio.Task[None]] = {}
        self._searches: set[asyncio.Task[None]] = set()
        self._endings: OrderedDict[Lease, Envelope] = OrderedDict()
        self._residents = Residents(machine.resident_memory)
        self._draining = False
        self._interrupted: dict[tuple[str, int], tuple[float, Departure]] = {}  # when a signal to it ended a trial
        self._subscription: Subscription | None = None
        self._cleaning: Subscription | None = None
        self._heartbeats: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Join the fleet."""
        queue = runner_commands(self.machine.runner_id, self.machine.session)
        self._subscription = await self._bus.subscribe(queue, self.handle, self._outbox.repeat)
        self._cleaning = await self._bus.subscribe(janitor(self.machine.pool), self._clean)
        self._outbox.start()
        m = self.machine
        joined = RunnerJoined(
            runner_id=m.runner_id, session=m.session, slots=m.slots, labels=m.labels, host=m.host, cores=m.cores
        )
        await self._bus.publish([self._wrap(None, joined)])
        self._heartbeats = asyncio.create_task(every(m.heartbeat, self._beat))
        log.info("runner joined", runner_id=m.runner_id, pool=m.pool, slots=len(m.slots), kind=m.kind)

    async def drain(self) -> list[Departure]:
        """Take nothing new; stop what runs, with a checkpoint; wait until all has ended and is told.

        Trials end whether or not the broker is there to be told. How long each may take is up to its configuration.
        Whoever signals this process may have signalled those of trials, too, which have ended a moment before.
        """
        self._draining = True
        since = asyncio.get_running_loop().time() - _SAME_SIGNAL_SECONDS
        just_before = [departure for ended, departure in self._interrupted.values() if ended >= since]
        draining = RunnerDraining(runner_id=self.machine.runner_id, session=self.machine.session)
        publishing = asyncio.create_task(self._publish_soon(draining))
        self._residents.clear()
        leading = [allocation for allocation in self._allocations.values() if allocation.leads]
        for allocation in list(self._allocations.values()):
            allocation.stop(EndReason.PREEMPTED)
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await publishing
        await self._outbox.flush(_TELL_SECONDS)
        self._tell_journal()
        await self._publish_soon(RunnerLeft(runner_id=self.machine.runner_id, session=self.machine.session))
        return [*just_before, *(allocation.departure for allocation in leading)]

    async def _publish_soon(self, event: Event) -> None:
        """Publish, unless the broker stays away."""
        with contextlib.suppress(TimeoutError, Unavailable):
            await asyncio.wait_for(self._bus.publish([self._wrap(None, event)]), _TELL_SECONDS)

    async def close(self) -> None:
        """Stop everything, now."""
        if self._heartbeats is not None:
            self._heartbeats.cancel()
            await asyncio.gather(self._heartbeats, return_exceptions=True)
        self._residents.clear()
        for allocation in list(self._allocations.values()):
            allocation.kill()
        for task in [*self._tasks.values(), *self._searches]:
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for subscription in (self._subscription, self._cleaning):
            if subscription is not None:
                await subscription.cancel()
        await self._outbox.close()
        await self._launcher.close()

    async def handle(self, batch: Sequence[Envelope]) -> None:
        """Orders of the scheduler."""
        for envelope in batch:
            experiment_id = envelope.experiment
            match envelope.data:
                case AllocationGranted() as granted:
                    self._grant(experiment_id, granted)
                case AllocationExtended() as event:
                    if allocation := self._allocations.get((experiment_id, event.trial_id, event.lease_number)):
                        allocation.extend(event.train_until)
                case AllocationReleased() as event:
                    if allocation := self._allocations.get((experiment_id, event.trial_id, event.lease_number)):
                        self._release(allocation, event)
                case AllocationRevoked() as event:
                    self._residents.drop((experiment_id, event.trial_id), event.lease_number)
                    if allocation := self._allocations.get((experiment_id, event.trial_id, event.lease_number)):
                        allocation.kill() if event.kill else allocation.stop(EndReason.PREEMPTED)

    def _release(self, allocation: Allocation, event: AllocationReleased) -> None:
        """End a trial, or let it rest in memory."""
        rests = event.paused and not self._draining and allocation.rest(self._residents.budget)
        if not rests:
            allocation.stop(EndReason.RELEASED)

    def _resident_for(self, experiment_id: str, granted: AllocationGranted) -> Resident | None:
        """The process of a trial that rests here, if it can go on with what was granted."""
        resident = self._residents.take((experiment_id, granted.trial_id))
        if resident is None or resident.fits(granted):
            return resident
        end(resident)
        return None

    def _grant(self, experiment_id: str, granted: AllocationGranted) -> None:
        lease = (experiment_id, granted.trial_id, granted.lease_number)
        if lease in self._endings:
            self._outbox.report(self._endings[lease])
            return
        if lease in self._allocations:
            self._allocations[lease].extend(granted.train_until)
            return
        for (other_id, trial_id, _), allocation in self._allocations.items():
            if (other_id, trial_id) == lease[:2]:
                allocation.kill()  # an older lease of the same trial
        allocation = Allocation(
            experiment_id,
            granted,
            launcher=self._launcher,
            fetch=self._fetch,
            report=lambda event: self._outbox.report(self._wrap(experiment_id, event)),
            send=lambda event: self._outbox.telemetry(self._wrap(experiment_id, event)),
            clock=self._clock,
            place=self.machine.place,
            patience=self.machine.patience,
            resident=self._resident_for(experiment_id, granted),
        )
        self._allocations[lease] = allocation
        self._interrupted.pop(lease[:2], None)
        self._tasks[lease] = asyncio.create_task(self._carry_out(lease, allocation))
        if granted.lease_number > 1 and allocation.leads:
            search = asyncio.create_task(self._report_earlier_checkpoints(experiment_id, granted))
            self._searches.add(search)
            search.add_done_callback(self._searches.discard)

    async def _report_earlier_checkpoints(self, experiment_id: str, granted: AllocationGranted) -> None:
        try:
            found = await self._find_earlier(experiment_id, granted, self.machine.storage)
        except (ArtifactError, ConfigError, OSError) as error:
            log.warning("earlier checkpoints cannot be listed", trial_id=granted.trial_id, reason=str(error))
            return
        for saved in found:
            self._outbox.report(self._wrap(experiment_id, saved))

    async def _carry_out(self, lease: Lease, allocation: Allocation) -> None:
        context = {"experiment_id": lease[0], "trial_id": lease[1], "lease_number": lease[2]}
        await self._until_gone(allocation)
        log.info("trial starts", **context, train_until=str(allocation.granted.train_until))
        try:
            ended = await allocation.carry_out()
        except Exception as error:
            log.exception("trial could not be carried out", **context)
            ended = AllocationEnded(
                runner_id=self.machine.runner_id,
                trial_id=lease[1],
                lease_number=lease[2],
                reason=EndReason.FAILED,
                detail=f"the runner failed: {error!r}",
            )
        log.info("trial ended", **context, reason=ended.reason.value, detail=ended.detail)
        del self._allocations[lease]
        del self._tasks[lease]
        if allocation.interrupted and allocation.leads and not self._draining:
            self._interrupted[lease[:2]] = (asyncio.get_running_loop().time(), allocation.departure)
        if ended.resident and (resident := allocation.resting()):
            await self._residents.add(resident)
        ending = self._wrap(lease[0], ended)
        self._endings[lease] = ending
        while len(self._endings) > _ENDINGS_KEPT:
            self._endings.popitem(last=False)
        self._outbox.report(ending)

    async def _until_gone(self, allocation: Allocation) -> None:
        """Wait for those that were told to end on the slots of a new allocation: their memory must be free again.

        Shares of the CPU have no memory of their own.
        """
        if self.machine.kind != "cuda":
            return
        leaving = [
            self._tasks[lease]
            for lease, other in self._allocations.items()
            if other is not allocation and other.stopping and set(other.granted.slots) & set(allocation.granted.slots)
        ]
        if leaving:
            await asyncio.wait(leaving)

    async def _clean(self, batch: Sequence[Envelope]) -> None:
        """Delete checkpoints that nobody needs."""
        for envelope in batch:
            if isinstance(event := envelope.data, CheckpointDiscarded):
                gone = [uri for uri in event.uris if await self._delete(uri, envelope.experiment, event.trial_id)]
                if gone:
                    deleted = CheckpointDeleted(trial_id=event.trial_id, uris=gone)
                    self._outbox.report(self._wrap(envelope.experiment, deleted))

    async def _delete(self, uri: str, experiment_id: str, trial_id: int) -> bool:
        """Is a checkpoint deleted? What is none of that trial is refused."""
        try:
            await self._discard(uri, experiment_id, trial_id)
        except PlaceError as error:
            log.error(
                "refused to delete what is no checkpoint of the trial", experiment_id=experiment_id, reason=str(error)
            )
            return False
        return True

    async def _beat(self) -> None:
        if len(self._residents) and memory_is_short():
            self._residents.evict()
        m = self.machine
        heartbeat = RunnerHeartbeat(
            runner_id=m.runner_id,
            session=m.session,
            slots=m.slots,
            labels=m.labels,
            host=m.host,
            cores=m.cores,
            draining=self._draining,
            refusing=m.refusing(),
            running=[allocation.running for allocation in self._allocations.values()],
        )
        await self._bus.publish([self._wrap(None, heartbeat)])
        self._tell_journal()

    def _tell_journal(self) -> None:
        if self._journal is not None and (logged := self._journal.take()):
            self._outbox.telemetry(self._wrap(None, logged))

    def _wrap(self, experiment_id: str | None, event: Event) -> Envelope:
        return Envelope.wrap(
            event,
            source=f"runner/{self.machine.runner_id}",
            time=self._clock(),
            experiment_id=experiment_id,
            pool=self.machine.pool,
        )
