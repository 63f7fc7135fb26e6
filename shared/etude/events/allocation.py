"""Events about allocations: a trial's right to slots on one runner."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, JsonValue

from etude.events.event import (
    CheckpointReference,
    Event,
    Hyperparameters,
    LeaseNumber,
    ModelDefinition,
    Record,
    TrialId,
)
from etude.events.length import Length


class EndReason(StrEnum):
    """Why an allocation ended."""

    FINISHED = "finished"
    """The trial reached its target and handed the slots back, unasked or for want of a decision."""
    RELEASED = "released"
    """The scheduler asked for the slots of a trial that had nothing left to do."""
    PREEMPTED = "preempted"
    """The scheduler asked for the slots of a trial in mid-training; its checkpoint is written."""
    FAILED = "failed"
    INVALID_HYPERPARAMETERS = "invalid-hyperparameters"


class Gang(Record):
    """A runner's part of a trial that trains on several runners: a process for each slot, ranks in a row."""

    size: Annotated[int, Field(ge=1, description="Processes on all runners together.")]
    first_rank: Annotated[int, Field(ge=0, description="Of this runner's processes.")]
    rendezvous: Annotated[
        str | None, Field(description="host:port that the first runner opened; null for the first runner, to open one.")
    ] = None


class AllocationGranted(Event):
    """All that a runner needs to run a trial."""

    type: ClassVar[str] = "etude.allocation.granted.v1"
    addressed: ClassVar[bool] = True

    runner_id: str
    trial_id: TrialId
    lease_number: LeaseNumber
    slots: list[str]
    share: Annotated[float, Field(gt=0, le=1, description="Of each slot.")] = 1.0
    gang: Gang | None = None
    config: dict[str, JsonValue]
    model_definition: ModelDefinition
    hyperparameters: Hyperparameters
    trial_seed: int
    train_until: Length
    checkpoint: CheckpointReference | None = None
    restarts: int = 0


class AllocationExtended(Event):
    """Train on, until ``train_until``, on the slots you hold."""

    type: ClassVar[str] = "etude.allocation.extended.v1"
    addressed: ClassVar[bool] = True

    runner_id: str
    trial_id: TrialId
    lease_number: LeaseNumber
    train_until: Length


class AllocationReleased(Event):
    """The trial has nothing left to do here: end it and free its slots."""

    type: ClassVar[str] = "etude.allocation.released.v1"
    addressed: ClassVar[bool] = True

    runner_id: str
    trial_id: TrialId
    lease_number: LeaseNumber
    paused: Annotated[bool, Field(description="It may be promoted later, and so may rest in memory.")] = False


class AllocationRevoked(Event):
    """The slots are wanted back: write a checkpoint (unless killed) and end."""

    type: ClassVar[str] = "etude.allocation.revoked.v1"
    addressed: ClassVar[bool] = True

    runner_id: str
    trial_id: TrialId
    lease_number: LeaseNumber
    kill: bool = False


class AllocationStarted(Event):
    """The trial's process runs."""

    type: ClassVar[str] = "etude.allocation.started.v1"

    runner_id: str
    trial_id: TrialId
    lease_number: LeaseNumber
    slots: list[str] = []
    rendezvous: Annotated[
        str | None, Field(description="host:port where the other runners of its gang meet the first.")
    ] = None


class AllocationEnded(Event):
    """The trial's process is gone and its slots are free."""

    type: ClassVar[str] = "etude.allocation.ended.v1"

    runner_id: str
    trial_id: TrialId
    lease_number: LeaseNumber
    reason: EndReason
    exit_code: int | None = None
    detail: str = ""
    log_tail: list[str] = []
    resident: Annotated[bool, Field(description="Its process rests in memory, and can continue it there.")] = False
    at_start: Annotated[bool, Field(description="It ended before it had anything to report.")] = False
    retryable: Annotated[bool, Field(description="A failure that another attempt may not meet again.")] = True
