"""Allocation: one trial on this machine, from grant to end."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import structlog

from etude.artifacts import ArtifactError, storage_url
from etude.config import ExperimentConfig, parse
from etude.core.link import Message
from etude.events import (
    AllocationEnded,
    AllocationGranted,
    AllocationStarted,
    CheckpointReference,
    EndReason,
    Event,
    Length,
    ModelDefinition,
    RunningTrial,
)
from etude.service.clock import Clock
from etude_trial_runner.assignments import Place, assignments, world_size
from etude_trial_runner.decisions import Decisions
from etude_trial_runner.departure import Departure
from etude_trial_runner.disk_trouble import until_begun
from etude_trial_runner.launcher import Launcher, LaunchError
from etude_trial_runner.meeting import MeetingPlace
from etude_trial_runner.messages import (
    Ending,
    Failed,
    Interrupted,
    InvalidHyperparameters,
    Said,
    Saved,
    Trained,
    Validated,
    Waiting,
    read,
)
from etude_trial_runner.processes import Processes
from etude_trial_runner.reports import Reporter
from etude_trial_runner.residents import Resident
from etude_trial_runner.telemetry import Telemetry
from etude_trial_runner.verdict import Evidence, judge
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
    stop : for a process that was told to stop, before it is killed; it may have a checkpoint to write. What a
        configuration says in ``preemption_timeout`` counts more
    """

    resend: float = 10.0
    hand_back: float = 60.0
    stop: float = 120.0


class Allocation:
    """Tells a trial's processes how far to train, hears what they say, and says how they ended.

    The first process of all (of the gang, if the trial spans runners) speaks for the trial, and tells the others how
    far to train.

    Parameters
    ----------
    experiment_id, granted : what is to be done
    launcher, fetch : start processes, and make their code available
    report : takes events that must arrive
    send : takes telemetry
    place : what this machine has for the trial
    resident : the trial's process, if it rests here and can go on

    Attributes
    ----------
    interrupted : did a signal ask one of its processes to end?
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
        place: Place,
        patience: Patience,
        resident: Resident | None = None,
    ) -> None:
        self.experiment_id = experiment_id
        self.granted = granted
        self._fetch = fetch
        self._report = report
        self._place = place
        self._patience = patience
        self._resident = resident
        self._waits = False
        self._meeting: MeetingPlace | None = None
        self._train_until = granted.train_until
        first_rank = granted.gang.first_rank if granted.gang else 0
        self._telemetry = Telemetry(granted.trial_id, granted.lease_number, send, clock, first_rank)
        self._processes = Processes(launcher, self._heard_of, self._telemetry.wrote, place.temporary_prefix)
        self._decisions = Decisions(report, patience.resend, patience.hand_back, self._hand_back)
        self._target_at_end: Length | None = None
        self._stopping: asyncio.Task[None] | None = None
        begun = _length_begun_from(granted)
        self._evidence = Evidence(leads=first_rank == 0, reached=begun, saved=begun)
        self.interrupted = False
        self._spoke = False
        self._watch: Watch | None = None

    @property
    def leads(self) -> bool:
        """Is the first of the trial's processes here?"""
        return self._evidence.leads

    @property
    def stopping(self) -> bool:
        """Was it told to end?"""
        return self._evidence.stop_reason is not None

    @property
    def running(self) -> RunningTrial:
        """As heartbeats list it."""
        return RunningTrial(
            experiment_id=self.experiment_id,
            trial_id=self.granted.trial_id,
            lease_number=self.granted.lease_number,
            train_until=self._train_until,
            rendezvous=self._rendezvous,
            stopping=self.stopping,
        )

    @property
    def departure(self) -> Departure:
        """What it has trained and saved, whether it runs or has ended."""
        e = self._evidence
        return Departure(self.granted.trial_id, e.reached, e.saved, self._train_until.unit.value)

    # Orders

    def extend(self, train_until: Length) -> None:
        """Train further."""
        if train_until.amount > self._train_until.amount:
            self._train_until = train_until
            self._waits = False
            self._decisions.extend(train_until.amount)
            if self._watch is not None:
                self._watch.heard()
            self._tell({"do": "extend", "train_until": train_until.model_dump(mode="json")})

    def stop(self, reason: EndReason) -> None:
        """Save a checkpoint if there is something to save, and end."""
        if not self.stopping:
            self._evidence.stop_reason = reason
            self._tell({"do": "stop"})
            self._expect_end()

    def kill(self) -> None:
        """End at once."""
        self._evidence.stop_reason = self._evidence.stop_reason or EndReason.PREEMPTED
        self._kill()

    def rest(self, budget: int) -> bool:
        """Suspend the process of a paused trial instead of ending it; False if that cannot be.

        Parameters
        ----------
        budget : bytes of memory for resting trials
        """
        able = budget > 0 and self._waits and self.granted.gang is None and not self.stopping
        if not able or self._checkpoint() is None or not self._processes.rest():
            return False
        self._evidence.stop_reason = EndReason.RELEASED
        self._decisions.stop_waiting()
        return True

    def resting(self) -> Resident | None:
        """The process that rests, once the allocation has ended."""
        checkpoint = self._checkpoint()
        if not self._processes.kept or checkpoint is None or not self._processes.first.alive:
            return None
        granted = self.granted
        return Resident(
            key=(self.experiment_id, granted.trial_id),
            lease_number=granted.lease_number,
            process=self._processes.first,
            checkpoint=checkpoint.uri,
            slots=granted.slots,
            kind=self._place.kind,
            promise=self._promise(),
            temporary=str(self._processes.temporary),
        )

    def _checkpoint(self) -> CheckpointReference | None:
        """That of the result which was decided upon."""
        return self._decisions.latest.checkpoint if self._decisions.latest else None

    def _promise(self) -> tuple[float, ...]:
        """Who has come further is more promising, and of these who is better."""
        validation = self._decisions.latest
        assert validation is not None
        searcher = self._config.searcher
        value = validation.metrics.get(searcher.metric, math.nan)
        merit = -value if searcher.smaller_is_better else value
        return validation.length.amount, -math.inf if math.isnan(merit) else merit

    # Life

    def _tell_of_delay(self, reason: str) -> None:
        self._telemetry.complain(f"the trial cannot be started yet: {reason}")

    async def carry_out(self) -> AllocationEnded:
        """Run to the end; returns how it was."""
        try:
            if self._resident is not None:
                self._wake(self._resident)
            else:
                await until_begun(self._launch, self._may_begin_later, self._tell_of_delay)
            if len(self._processes):
                self._evidence.exit_code = await self._follow()
                self._note_end()
                await self._answer_for_it()
        except (ArtifactError, LaunchError, OSError, ValueError) as error:
            self._evidence.fail(str(error))
        finally:
            self._decisions.stop_waiting()
            if self._stopping is not None:
                self._stopping.cancel()
            if self._meeting is not None:
                self._meeting.close()
            self._processes.clear()
        await self._telemetry.close()
        return self._ended()

    @cached_property
    def _config(self) -> ExperimentConfig:
        return parse(self.granted.config)

    @cached_property
    def _reporter(self) -> Reporter:
        storage = storage_url(self._config.checkpoint_storage, self._place.storage)
        return Reporter(self.experiment_id, self.granted, storage)

    def _wake(self, resident: Resident) -> None:
        """Let the process that rests go on under this lease."""
        self._processes.wake(resident)
        train_until = self.granted.train_until.model_dump(mode="json")
        self._tell({"do": "resume", "lease_number": self.granted.lease_number, "train_until": train_until})

    def _may_begin_later(self) -> bool:
        return not self.stopping and not len(self._processes)

    async def _launch(self) -> None:
        gang = self.granted.gang
        directory = await self._fetch(self.granted.model_definition)
        if self._meeting is None and world_size(self.granted) > 1 and (gang is None or gang.rendezvous is None):
            self._meeting = MeetingPlace(self._place.address if gang else _HERE)
        await self._processes.launch(
            assignments(
                self.experiment_id,
                self.granted,
                self._config,
                self._place,
                model_directory=directory,
                temporary=self._processes.temporary,
                rendezvous=self._rendezvous or (gang and gang.rendezvous) or "",
            )
        )

    async def _follow(self) -> int:
        """Say that they run, watch them, and wait until they have ended or rest; returns the exit code."""
        environment = self._config.environment
        silence = environment.report_timeout if self.leads else None
        self._watch = Watch(self._processes.pids, environment.memory_limit, silence, self._exceeded)
        self._report(AllocationStarted(**self._ids(), slots=self.granted.slots, rendezvous=self._rendezvous))
        self._catch_up()
        watching = asyncio.create_task(self._watch.keep())
        try:
            return await self._processes.wait()
        finally:
            watching.cancel()

    @property
    def _rendezvous(self) -> str | None:
        """Where others meet the first process, if that was opened here."""
        return self._meeting.rendezvous if self._meeting else None

    def _exceeded(self, reason: str) -> None:
        """The trial fails for a reason that it does not know of, such as a limit."""
        self._evidence.fail(reason)
        self._kill()

    def _catch_up(self) -> None:
        """Orders that came while the processes started."""
        if self._train_until != self.granted.train_until:
            self._tell({"do": "extend", "train_until": self._train_until.model_dump(mode="json")})
        if self.stopping:
            self._tell({"do": "stop"})

    def _heard_of(self, message: Message, rank: int) -> None:
        """A process that is not the first has nothing to say but why it ends."""
        try:
            said = read(message)
            if isinstance(said, Interrupted):  # by a signal to it, or to all processes of the machine
                self.interrupted = True
                self.stop(EndReason.PREEMPTED)
            elif rank == 0 or (isinstance(said, Failed | InvalidHyperparameters) and not self._evidence.failure):
                self._heard(said)
        except ValueError as error:  # it would wait for an answer for ever
            self._exceeded(f"the process said what this runner does not understand: {message!r:.200}: {error}")

    def _heard(self, said: Said) -> None:
        self._spoke |= isinstance(said, Validated | Trained | Saved)
        self._waits = isinstance(said, Waiting)
        if self._watch is not None:
            self._watch.rest() if self._waits else self._watch.heard()
        if isinstance(said, Validated | Trained | Saved | Waiting):
            self._evidence.reached = max(self._evidence.reached, said.length.amount)
        match said:
            case Validated():
                self._evidence.validated = said.length.amount
                self._decisions.record(self._reporter.validation(said))
            case Waiting():
                if said.length.amount >= self._train_until.amount and not self.stopping:
                    self._decisions.start_waiting()
            case Trained():
                self._telemetry.trained(said.length, said.metrics)
            case Saved():
                self._report(self._reporter.checkpoint(said))
                self._evidence.saved = said.length.amount
            case Failed():
                self._evidence.fail(said.detail, said.retryable)
                self._expect_end()
            case InvalidHyperparameters():
                self._evidence.is_invalid = True
                self._evidence.fail(said.detail)
                self._expect_end()
            case Ending():
                self._note_end()
                self._expect_end()

    def _hand_back(self) -> None:
        log.info("no decision came; handing the slots back", trial_id=self.granted.trial_id)
        self.stop(EndReason.FINISHED)

    async def _answer_for_it(self) -> None:
        """A script that waits for no decisions has ended past its target; what it reported may answer further ones."""
        e = self._evidence
        while e.ended_well and not self.stopping and self.leads and e.validated > self._train_until.amount:
            await self._decisions.until_changed()

    def _note_end(self) -> None:
        """What the search wants from now on is for another process."""
        self._target_at_end = self._target_at_end or self._train_until

    def _expect_end(self) -> None:
        """Kill the processes if they do not end in time: threads and exit handlers of theirs may hang."""
        self._decisions.stop_waiting()
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._kill_later())

    async def _kill_later(self) -> None:
        timeout = self._config.preemption_timeout
        await asyncio.sleep(self._patience.stop if timeout is None else timeout)
        log.warning("the trial does not end; it is killed", trial_id=self.granted.trial_id)
        self._kill()

    def _kill(self) -> None:
        self._evidence.is_killed = True
        self._processes.kill()

    def _tell(self, message: Message) -> None:
        """Tell the first process, if it is here; it tells the others."""
        if self.leads:
            self._processes.tell(message)

    def _ids(self) -> dict[str, object]:
        g = self.granted
        return {"runner_id": g.runner_id, "trial_id": g.trial_id, "lease_number": g.lease_number}

    def _ended(self) -> AllocationEnded:
        self._evidence.last_error = self._telemetry.last_error
        verdict = judge(self._evidence, self._target_at_end or self._train_until)
        reason = verdict.reason
        return AllocationEnded(
            **self._ids(),
            reason=reason,
            exit_code=self._evidence.exit_code,
            detail=verdict.detail,
            log_tail=self._telemetry.tail if reason in (EndReason.FAILED, EndReason.INVALID_HYPERPARAMETERS) else [],
            resident=self.resting() is not None,
            at_start=reason is EndReason.FAILED and self.leads and not self._spoke,
            retryable=verdict.retryable,
        )


def _length_begun_from(granted: AllocationGranted) -> int:
    checkpoint = granted.checkpoint
    return 0 if checkpoint is None or checkpoint.foreign else checkpoint.length
