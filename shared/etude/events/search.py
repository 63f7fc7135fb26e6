"""Events between the searcher and a custom search method that runs elsewhere."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, JsonValue

from etude.events.event import Event, Hyperparameters, Metrics, Record, TrialId
from etude.events.length import Length
from etude.events.trial import CloseReason, ExitReason

AskNumber = Annotated[int, Field(ge=0, description="Number of the question within its experiment; rises.")]


class AskCause(StrEnum):
    """What a custom method is asked about."""

    STARTED = "started"
    VALIDATION_COMPLETED = "validation-completed"
    TRIAL_EXITED = "trial-exited"


class OperationKind(StrEnum):
    """What may be done with a trial."""

    CREATE = "create"
    CONTINUE = "continue"
    PAUSE = "pause"
    CLOSE = "close"


class SearchOperation(Record):
    """What a custom method wants done.

    Trials are numbered in the order in which they are created, from 1: a method knows the numbers of those that it
    creates. Without hyperparameters the configuration's sampler draws them.
    """

    operation: OperationKind
    trial_id: TrialId | None = None
    length: Length | None = None
    hyperparameters: Hyperparameters | None = None
    reason: CloseReason = CloseReason.FINISHED


class SearchAsked(Event):
    """A custom search method is asked what to do. One question at a time: the next comes after the answer.

    ``state`` is what the method gave with its answer before (null at first), so that it need not remember anything.
    """

    type: ClassVar[str] = "etude.search.asked.v1"

    ask: AskNumber
    method: str
    cause: AskCause
    config: dict[str, JsonValue]
    trial_id: TrialId | None = None
    hyperparameters: Hyperparameters | None = None
    length: Length | None = None
    metrics: Metrics | None = None
    exit_reason: ExitReason | None = None
    state: JsonValue = None


class SearchAnswered(Event):
    """What a custom search method decides. A trial that reported is to be continued, paused or closed, some time."""

    type: ClassVar[str] = "etude.search.answered.v1"

    ask: AskNumber
    operations: list[SearchOperation] = []
    state: JsonValue = None
    progress: Annotated[float, Field(ge=0, le=1)] | None = None
    finished: Annotated[bool, Field(description="The search is over; what is still open is closed.")] = False
    failed: Annotated[str | None, Field(description="The search cannot go on, and why.")] = None
