"""Events about trials: what the searcher decides, and what the scheduler gives up on."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from etude.events.event import Event, Hyperparameters, TrialId
from etude.events.length import Length

Attempt = Annotated[
    int, Field(ge=1, description="Rises when a trial that was given up is tried again; the highest one holds.")
]


class CloseReason(StrEnum):
    """Why a trial is over."""

    FINISHED = "finished"
    STOPPED = "stopped"
    ERRORED = "errored"
    INVALID_HYPERPARAMETERS = "invalid-hyperparameters"
    CANCELED = "canceled"
    KILLED = "killed"


class ExitReason(StrEnum):
    """Why the scheduler gave a trial up."""

    RESTARTS_USED_UP = "restarts-used-up"
    NOT_RETRYABLE = "not-retryable"
    """It failed in a way that no restart can mend, such as a missing import."""
    INVALID_HYPERPARAMETERS = "invalid-hyperparameters"
    KILLED = "killed"


class TrialRequested(Event):
    """A trial is to exist, and to be trained until ``train_until``."""

    type: ClassVar[str] = "etude.trial.requested.v1"

    trial_id: TrialId
    hyperparameters: Hyperparameters
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    slots: Annotated[float, Field(ge=0)]
    train_until: Length
    source_checkpoint: str | None = None
    bracket: Annotated[int, Field(ge=0, description="Of the search; 0 if it has but one.")] = 0
    rungs: Annotated[
        list[int], Field(description="Lengths at which its bracket decides who goes on; none without rungs.")
    ] = []
    attempt: Attempt = 1


class TrialContinued(Event):
    """The trial is to be trained on, from its own latest checkpoint, until ``train_until`` (a total)."""

    type: ClassVar[str] = "etude.trial.continued.v1"

    trial_id: TrialId
    train_until: Length


class TrialPaused(Event):
    """The trial rests at ``length``: keep its checkpoint, free its slots. A later, longer target wakes it."""

    type: ClassVar[str] = "etude.trial.paused.v1"

    trial_id: TrialId
    length: Length


class TrialClosed(Event):
    """The trial is over for the search, unless that is extended and continues it.

    One that was ``finished`` or ``stopped`` at a ``length`` below a target that is known by now was continued since.
    """

    type: ClassVar[str] = "etude.trial.closed.v1"

    trial_id: TrialId
    reason: CloseReason
    length: Length | None = None
    detail: str = ""
    attempt: Attempt = 1

    def outdated(self, target: int) -> bool:
        """Was the trial continued after this, to a target that is known?"""
        extensible = self.reason in (CloseReason.FINISHED, CloseReason.STOPPED)
        return extensible and self.length is not None and self.length.amount < target


class TrialExited(Event):
    """The scheduler gave the trial up for good."""

    type: ClassVar[str] = "etude.trial.exited.v1"

    trial_id: TrialId
    reason: ExitReason
    restarts: int = 0
    detail: str = ""
    log_tail: list[str] = []
    attempt: Attempt = 1
