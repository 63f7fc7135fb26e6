"""What a running trial reports."""

from typing import Annotated, ClassVar

from pydantic import Field, JsonValue

from etude.events.event import (
    CheckpointReference,
    Event,
    FileEntry,
    LeaseNumber,
    Metrics,
    Record,
    Timestamp,
    TrialId,
)
from etude.events.length import Length


class ValidationCompleted(Event):
    """The trial was validated after ``length`` of training."""

    type: ClassVar[str] = "etude.validation.completed.v1"

    runner_id: str = ""
    trial_id: TrialId
    lease_number: LeaseNumber
    length: Length
    metrics: Metrics
    information: Annotated[
        dict[str, JsonValue], Field(description="What was reported beside the metrics and is no number.")
    ] = {}
    checkpoint: CheckpointReference | None = None
    seconds: Annotated[float, Field(ge=0, description="Training and validation time under this lease.")] = 0.0


class CheckpointSaved(Event):
    """A checkpoint is whole and visible."""

    type: ClassVar[str] = "etude.checkpoint.saved.v1"

    trial_id: TrialId
    lease_number: LeaseNumber
    uri: str
    length: Length
    files: list[FileEntry]


class CheckpointDiscarded(Event):
    """Nobody needs these checkpoints of a trial any more: some runner is to delete them."""

    type: ClassVar[str] = "etude.checkpoint.discarded.v1"

    trial_id: TrialId
    uris: list[str]


class CheckpointDeleted(Event):
    """These checkpoints of a trial are gone."""

    type: ClassVar[str] = "etude.checkpoint.deleted.v1"

    trial_id: TrialId
    uris: list[str]


class TrainingPoint(Record):
    """Training metrics at one length."""

    length: Length
    metrics: Metrics
    time: Timestamp


class TrainingReported(Event):
    """Training metrics, several points at a time."""

    type: ClassVar[str] = "etude.training.reported.v1"
    telemetry: ClassVar[bool] = True

    trial_id: TrialId
    lease_number: LeaseNumber
    points: list[TrainingPoint]


class TrialProgressed(Event):
    """How far the trial has trained, every few seconds, while it has no result to report."""

    type: ClassVar[str] = "etude.trial.progressed.v1"

    trial_id: TrialId
    lease_number: LeaseNumber
    length: Length


class LogLine(Record):
    """One line of a trial's output."""

    time: Timestamp
    stream: str
    text: str
    rank: int = 0


class LogWritten(Event):
    """Lines that the trial wrote on one runner, in order; ``first`` is the number of the first one under this lease."""

    type: ClassVar[str] = "etude.log.written.v1"
    telemetry: ClassVar[bool] = True

    trial_id: TrialId
    lease_number: LeaseNumber
    first_rank: Annotated[int, Field(ge=0, description="Of the trial's processes on that runner.")] = 0
    first: Annotated[int, Field(ge=0)]
    lines: list[LogLine]
