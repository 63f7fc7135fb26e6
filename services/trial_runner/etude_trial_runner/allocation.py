"""Allocation: one trial on this machine, from grant to end."""

import asyncio
import contextlib
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
from etude_trial_runner.telemetry import Telemetry

log = structlog.get_logger("etude.runner")

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
    """Starts a trial's process, hears what it says, tells it how far to train, and says how it ended.

    Parameters
    ----------
    experiment_id, granted : what is to be done
    report : takes events that must arrive
    send : takes telemetry
    storage : URL of the runner's own storage, for experiments that name none
    kind, threads : of the slots
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
        self._train_until = granted.train_until
        self._telemetry = Telemetry(granted.trial_id, granted.lease_number, send, clock)
        self._process: TrialProcess | None = None
        self._last_validation: ValidationCompleted | None = None
        self._waiting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._stop_reason: EndReason | None = None
        self._killed = False
        self._failure = ""
        self._invalid = False

    @property
    def running(self) -> RunningTrial:
        """As heartbeats list it."""
        return RunningTrial(
            experiment_id=self.experiment_id,
            trial_id=self.granted.trial_id,
            lease_number=self.granted.lease_number,
            train_until=self._train_until,
        )

    # Orders

    def extend(self, train_until: Length) -> None:
        """Train further."""
        if train_until.amount > self._train_until.amount:
            self._train_until = train_until
            self._stop_waiting()
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
        if self._process is not None:
            self._process.kill()

    # Life

    async def carry_out(self) -> AllocationEnded:
        """Run to the end; returns how it was."""
        exit_code: int | None = None
        try:
            directory = await self._fetch(self.granted.model_definition)
            assignment = self._assignment(directory)
            if not self._killed:
                self._process = await self._launcher.launch(assignment, self._heard, self._telemetry.wrote)
                self._report(AllocationStarted(**self._ids(), slots=self.granted.slots))
                self._catch_up()
                exit_code = await self._process.wait()
        except (ArtifactError, LaunchError, OSError, ValueError) as error:
            self._failure = str(error)
        finally:
            self._stop_waiting()
            if self._stopping is not None:
                self._stopping.cancel()
            if exit_code is None and self._process is not None:
                self._process.kill()
        await self._telemetry.close()
        return self._ended(exit_code)

    def _assignment(self, directory: Path) -> Assignment:
        granted = self.granted
        config = parse(granted.config)
        return Assignment(
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
            threads=self._threads * max(1, len(granted.slots)),
            environment=config.environment.variables(self._kind),
        )

    def _catch_up(self) -> None:
        """Orders that came while the process started."""
        if self._killed and self._process is not None:
            self._process.kill()
        if self._train_until != self.granted.train_until:
            self._tell({"do": "extend", "train_until": self._train_until.model_dump(mode="json")})
        if self._stop_reason is not None:
            self._tell({"do": "stop"})

    def _heard(self, message: Message) -> None:
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
        if self._process is not None:
            self._process.send(message)

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
        )

    def _verdict(self, exit_code: int | None) -> tuple[EndReason, str]:
        if self._invalid:
            return EndReason.INVALID_HYPERPARAMETERS, self._failure
        if self._stop_reason is not None and (self._killed or exit_code == 0):
            return self._stop_reason, ""
        if exit_code == 0:
            validation = self._last_validation
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
