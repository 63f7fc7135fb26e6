"""Events about allocations: a trial's right to slots on one runner."""

from enum import StrEnum
from typing import ClassVar

from pydantic import JsonValue

from etude.events.event import (
    CheckpointReference,
    Event,
    Hyperparameters,
    LeaseNumber,
    ModelDefinition,
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


class AllocationGranted(Event):
    """All that a runner needs to run a trial."""

    type: ClassVar[str] = "etude.allocation.granted.v1"
    addressed: ClassVar[bool] = True

    runner_id: str
    trial_id: TrialId
    lease_number: LeaseNumber
    slots: list[str]
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
