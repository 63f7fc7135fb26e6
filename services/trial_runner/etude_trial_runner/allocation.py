"""Allocation: one trial on this machine, from grant to end."""

import asyncio
import contextlib
import math
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from etude.artifacts import ArtifactError, storage_url
from etude.config import parse
from etude.core.assignment import Assignment
from etude.core.link import Message
from etude.events import (
    AllocationEnded,
    AllocationGranted,
    AllocationStarted,
    CheckpointReference,
    CheckpointSaved,
    EndReason,
    Event,
    Length,
    ModelDefinition,
    RunningTrial,
    ValidationCompleted,
)
from etude.service.clock import Clock
from etude_trial_runner.launcher import Launcher, LaunchError, TrialProcess
from etude_trial_runner.meeting import MeetingPlace
from etude_trial_runner.residents import Resident
from etude_trial_runner.telemetry import Telemetry
from etude_trial_runner.watch import Watch

log = structlog.get_logger("etude.runner")

_HERE = "127.0.0.1"
Fetch = Callable[[ModelDefinition], Awaitable[Path]]
"""Makes a model definition's directory available."""


@dataclass(frozen=True)
class Patience:
    """How long an allocation waits, in seconds.

    Attributes
    ----------
    resend : for a decision, before the validation is reported again
    hand_back : for a decision, before the slots are handed back
    stop : for a process that was told to stop, before it is killed; it may have a checkpoint to write
    """

    resend: float = 10.0
    hand_back: float = 60.0
    stop: float = 120.0


class Allocation:
    """Starts a trial's processes, hears what they say, tells them how far to train, and says how they ended.

    There is a process for each slot, and one for a trial that has none or a part of one. The first of all (of the
    gang, if the trial spans runners) speaks for the trial, and tells the others how far to train. One failure ends all.

    Parameters
    ----------
    experiment_id, granted : what is to be done
    report : takes events that must arrive
    send : takes telemetry
    storage : URL of the runner's own storage, for experiments that name none
    kind, threads : of the slots
    address : of this machine, where the processes of a gang meet
    resident : the trial's process, if it rests here and can go on
    """

    def __init__(
        self,
        experiment_id: str,
        granted: AllocationGranted,
        *,
        launcher: Launcher,
        fetch: Fetch,
        report: Callable[[Event], None],
        send: Callable[[Event], None],
        clock: Clock,
        storage: str,
        kind: str,
        threads: int,
        patience: Patience,
        address: str = "127.0.0.1",
        resident: Resident | None = None,
    ) -> None:
        self.experiment_id = experiment_id
        self.granted = granted
        self._launcher = launcher
        self._fetch = fetch
        self._report = report
        self._storage = storage
        self._kind = kind
        self._threads = threads
        self._patience = patience
        self._address = address
        self._resident = resident
        self._waits = False
        self._rests = asyncio.Event()
        self._meeting: MeetingPlace | None = None
        self._train_until = granted.train_until
        first_rank = granted.gang.first_rank if granted.gang else 0
        self._telemetry = Telemetry(granted.trial_id, granted.lease_number, send, clock, first_rank)
        self._processes: list[TrialProcess] = []
        self._last_validation: ValidationCompleted | None = None
        self._waiting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._stop_reason: EndReason | None = None
        self._killed = False
        self._failure = ""
        self._invalid = False
        self._spoke = False
        self._temporary = ""
        self._watch: Watch | None = None

    @property
    def leads(self) -> bool:
        """Is the first of the trial's processes here?"""
        return self.granted.gang is None or self.granted.gang.first_rank == 0

    @property
    def stopping(self) -> bool:
        """Was it told to end?"""
        return self._stop_reason is not None

    @property
    def running(self) -> RunningTrial:
        """As heartbeats list it."""
        return RunningTrial(
            experiment_id=self.experiment_id,
            trial_id=self.granted.trial_id,
            lease_number=self.granted.lease_number,
            train_until=self._train_until,
            rendezvous=self._meeting.rendezvous if self._meeting else None,
            stopping=self.stopping,
        )

    # Orders

    def extend(self, train_until: Length) -> None:
        """Train further."""
        if train_until.amount > self._train_until.amount:
            self._train_until = train_until
            self._waits = False
            self._stop_waiting()
            if self._watch is not None:
                self._watch.heard()
            self._tell({"do": "extend", "train_until": train_until.model_dump(mode="json")})

    def stop(self, reason: EndReason) -> None:
        """Save a checkpoint if there is something to save, and end."""
        if self._stop_reason is None:
            self._stop_reason = reason
            self._stop_waiting()
            self._tell({"do": "stop"})
            self._stopping = asyncio.create_task(self._insist())

    def kill(self) -> None:
        """End at once."""
        self._stop_reason = self._stop_reason or EndReason.PREEMPTED
        self._killed = True
        for process in self._processes:
            process.kill()

    def rest(self, budget: int) -> bool:
        """Suspend the process of a paused trial instead of ending it; False if that cannot be.

        Parameters
        ----------
        budget : bytes of memory for resting trials
        """
        able = budget > 0 and self._waits and len(self._processes) == 1 and self.granted.gang is None
        if not able or self.stopping or self._checkpoint() is None:
            return False
        self._stop_reason = EndReason.RELEASED
        self._stop_waiting()
        self._rests.set()
        return True

    def resting(self) -> Resident | None:
        """The process that rests, once the allocation has ended."""
        checkpoint = self._checkpoint()
        if not self._kept or checkpoint is None or not self._processes[0].alive:
            return None
        granted = self.granted
        return Resident(
            key=(self.experiment_id, granted.trial_id),
            lease_number=granted.lease_number,
            process=self._processes[0],
            checkpoint=checkpoint.uri,
            slots=granted.slots,
            kind=self._kind,
            promise=self._promise(),
            temporary=self._temporary,
        )

    @property
    def _kept(self) -> bool:
        """Is the process to rest when the allocation ends?"""
        return self._rests.is_set() and not self._killed

    def _checkpoint(self) -> CheckpointReference | None:
        """That of the result which was decided upon."""
        return self._last_validation.checkpoint if self._last_validation else None

    def _promise(self) -> tuple[float, ...]:
        """Who has come further is more promising, and of these who is better."""
        validation = self._last_validation
        assert validation is not None
        searcher = parse(self.granted.config).searcher
        value = validation.metrics.get(searcher.metric, math.nan)
        merit = -value if searcher.smaller_is_better else value
        return validation.length.amount, -math.inf if math.isnan(merit) else merit

    # Life

    async def carry_out(self) -> AllocationEnded:
        """Run to the end; returns how it was."""
        exit_code: int | None = None
        try:
            if self._resident is not None:
                self._wake(self._resident)
            else:
                await self._launch_all()
            if self._processes:
                self._watch = self._make_watch()
                meeting = self._meeting.rendezvous if self._meeting else None
                self._report(AllocationStarted(**self._ids(), slots=self.granted.slots, rendezvous=meeting))
                self._catch_up()
                exit_code = await self._wait()
        except (ArtifactError, LaunchError, OSError, ValueError) as error:
            self._failure = str(error)
        finally:
            self._stop_waiting()
            if self._stopping is not None:
                self._stopping.cancel()
            if self._meeting is not None:
                self._meeting.close()
            if not self._kept:
                if exit_code is None:
                    for process in self._processes:
                        process.kill()
                if self._temporary:
                    shutil.rmtree(self._temporary, ignore_errors=True)
        await self._telemetry.close()
        return self._ended(exit_code)

    def _wake(self, resident: Resident) -> None:
        """Let the process that rests go on under this lease."""
        self._temporary = resident.temporary
        self._processes = [resident.process]
        resident.process.resume(self._heard, self._telemetry.wrote)
        train_until = self.granted.train_until.model_dump(mode="json")
        lease_number = self.granted.lease_number
        resident.process.send({"do": "resume", "lease_number": lease_number, "train_until": train_until})

    async def _launch_all(self) -> None:
        directory = await self._fetch(self.granted.model_definition)
        self._temporary = tempfile.mkdtemp(prefix="etude-trial-")  # short: sockets lie there
        for assignment in self._assignments(directory):
            if not self._killed:
                await self._launch(assignment)

    async def _launch(self, assignment: Assignment) -> None:
        rank = assignment.rank
        self._processes.append(
            await self._launcher.launch(
                assignment,
                self._heard if rank == 0 else self._heard_of_another,
                lambda stream, text: self._telemetry.wrote(stream, text, rank),
            )
        )

    async def _wait(self) -> int:
        """The exit code of the first process that fails, upon which all are killed; else 0, also if one rests."""
        assert self._watch is not None
        watching = asyncio.create_task(self._watch.keep())
        resting = asyncio.create_task(self._rests.wait())
        ending = asyncio.create_task(self._until_ended())
        await asyncio.wait([resting, ending], return_when=asyncio.FIRST_COMPLETED)
        watching.cancel()
        resting.cancel()
        if ending.done():
            return ending.result()
        ending.cancel()
        return 0

    async def _until_ended(self) -> int:
        waiting = [asyncio.ensure_future(process.wait()) for process in self._processes]
        failed = 0
        try:
            for ended in asyncio.as_completed(waiting):
                code = await ended
                if code != 0 and failed == 0:
                    failed = code
                    for process in self._processes:
                        process.kill()
        finally:
            for task in waiting:
                task.cancel()
        return failed

    def _make_watch(self) -> Watch:
        environment = parse(self.granted.config).environment
        pids = [process.pid for process in self._processes]
        silence = environment.report_timeout if self.leads else None
        return Watch(pids, environment.memory_limit, silence, self._exceeded)

    def _exceeded(self, reason: str) -> None:
        """A limit was exceeded: the trial fails for that."""
        self._failure = reason
        for process in self._processes:
            process.kill()

    def _assignments(self, directory: Path) -> list[Assignment]:
        """One for each process."""
        granted, gang = self.granted, self.granted.gang
        config = parse(granted.config)
        count = max(len(granted.slots), 1)
        size = gang.size if gang else count
        if size > 1 and (gang is None or gang.rendezvous is None):
            self._meeting = MeetingPlace(self._address if gang else _HERE)
        rendezvous = self._meeting.rendezvous if self._meeting else (gang.rendezvous if gang else None)
        first = gang.first_rank if gang else 0
        return [
            Assignment(
                experiment_id=self.experiment_id,
                trial_id=granted.trial_id,
                lease_number=granted.lease_number,
                config=granted.config,
                hyperparameters=granted.hyperparameters,
                trial_seed=granted.trial_seed,
                train_until=granted.train_until,
                checkpoint=granted.checkpoint,
                model_directory=str(directory),
                storage=storage_url(config.checkpoint_storage, self._storage),
                slots=granted.slots,
                kind=self._kind,
                share=granted.share,
                threads=max(1, int(self._threads * granted.share)),
                environment=config.environment.variables(self._kind),
                rank=first + number,
                size=size,
                local_rank=number,
                local_size=count,
                rendezvous=rendezvous or "",
                isolation=config.environment.isolation,
                network=config.environment.network,
                temporary=self._temporary,
            )
            for number in range(count)
        ]

    def _catch_up(self) -> None:
        """Orders that came while the processes started."""
        if self._killed:
            self.kill()
        if self._train_until != self.granted.train_until:
            self._tell({"do": "extend", "train_until": self._train_until.model_dump(mode="json")})
        if self._stop_reason is not None:
            self._tell({"do": "stop"})

    def _heard_of_another(self, message: Message) -> None:
        """A process that is not the first has nothing to say but why it ended."""
        if message["say"] in ("failed", "invalid-hyperparameters") and not self._failure:
            self._heard(message)

    def _heard(self, message: Message) -> None:
        self._spoke |= message["say"] in ("validation", "training", "checkpoint")
        self._waits = message["say"] == "waiting"
        if self._watch is not None:
            self._watch.rest() if self._waits else self._watch.heard()
        match message["say"]:
            case "validation":
                self._validated(message)
            case "waiting":
                reached = Length.model_validate(message["length"])
                if reached.amount >= self._train_until.amount and self._stop_reason is None:
                    self._waiting = asyncio.create_task(self._wait_for_decision())
            case "training":
                self._telemetry.trained(Length.model_validate(message["length"]), _metrics(message))
            case "checkpoint":
                ids = {"trial_id": self.granted.trial_id, "lease_number": self.granted.lease_number}
                self._report(CheckpointSaved.model_validate({**ids, **message}))
            case "failed":
                self._failure = message["detail"]
            case "invalid-hyperparameters":
                self._invalid, self._failure = True, message["detail"]

    def _validated(self, message: Message) -> None:
        checkpoint = message.get("checkpoint")
        validation = ValidationCompleted(
            **self._ids(),
            length=Length.model_validate(message["length"]),
            metrics=_metrics(message),
            checkpoint=CheckpointReference.model_validate(checkpoint) if checkpoint else None,
            seconds=message.get("seconds", 0.0),
        )
        self._last_validation = validation
        self._report(validation)

    async def _wait_for_decision(self) -> None:
        """Keep the slots for a while; a decision takes milliseconds unless somebody is down."""
        waited = 0.0
        while waited + self._patience.resend <= self._patience.hand_back:
            await asyncio.sleep(self._patience.resend)
            waited += self._patience.resend
            if self._last_validation is not None:
                self._report(self._last_validation)
        await asyncio.sleep(self._patience.hand_back - waited)
        log.info("no decision came; handing the slots back", trial_id=self.granted.trial_id)
        self._waiting = None
        self.stop(EndReason.FINISHED)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    async def _insist(self) -> None:
        await asyncio.sleep(self._patience.stop)
        self.kill()

    def _tell(self, message: Message) -> None:
        """Tell the first process, if it is here; it tells the others."""
        if self.leads and self._processes:
            self._processes[0].send(message)

    def _ids(self) -> dict[str, object]:
        g = self.granted
        return {"runner_id": g.runner_id, "trial_id": g.trial_id, "lease_number": g.lease_number}

    def _ended(self, exit_code: int | None) -> AllocationEnded:
        reason, detail = self._verdict(exit_code)
        return AllocationEnded(
            **self._ids(),
            reason=reason,
            exit_code=exit_code,
            detail=detail,
            log_tail=self._telemetry.tail if reason in (EndReason.FAILED, EndReason.INVALID_HYPERPARAMETERS) else [],
            resident=self.resting() is not None,
            at_start=reason is EndReason.FAILED and self.leads and not self._spoke,
        )

    def _verdict(self, exit_code: int | None) -> tuple[EndReason, str]:
        if self._invalid:
            return EndReason.INVALID_HYPERPARAMETERS, self._failure
        if self._stop_reason is not None and (self._killed or exit_code == 0):
            return self._stop_reason, ""
        if exit_code == 0:
            validation = self._last_validation
            if not self.leads:
                return EndReason.FINISHED, ""
            if validation is not None and validation.length.amount >= self._train_until.amount:
                return EndReason.FINISHED, ""
            return (
                EndReason.FAILED,
                f"the process ended by itself before it reported a validation at {self._train_until}",
            )
        if self._failure:
            return EndReason.FAILED, self._failure
        if exit_code is not None and exit_code < 0:
            return (
                EndReason.FAILED,
                f"killed by signal {-exit_code}{' (out of memory?)' if exit_code == -9 else ''}",
            )
        return EndReason.FAILED, f"exit code {exit_code}"


def _metrics(message: Message) -> dict[str, float]:
    with contextlib.suppress(KeyError):
        return {name: float(value) for name, value in message["metrics"].items()}
    return {}
