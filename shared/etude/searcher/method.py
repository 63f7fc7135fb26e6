"""CustomMethod: what a custom search method implements, and the operations that it may answer with."""

from typing import Any, Protocol

from pydantic import JsonValue

from etude.events import (
    CloseReason,
    Hyperparameters,
    Length,
    OperationKind,
    SearchAnswered,
    SearchAsked,
    SearchOperation,
)


class CustomMethod(Protocol):
    """A search method as a function of its state: it need not remember anything between two questions.

    Trials are numbered from 1 in the order in which they are created.
    """

    def decide(self, asked: SearchAsked) -> SearchAnswered:
        """What to do now.

        Parameters
        ----------
        asked : ``cause`` says what has happened; ``state`` is what was answered with last
        """


def create(length: Length, hyperparameters: Hyperparameters | None = None) -> SearchOperation:
    """A new trial; without hyperparameters the configuration's sampler draws them."""
    return _operation(OperationKind.CREATE, length=length, hyperparameters=hyperparameters)


def continue_(trial_id: int, length: Length) -> SearchOperation:
    """Train on until ``length``, a total."""
    return _operation(OperationKind.CONTINUE, trial_id=trial_id, length=length)


def pause(trial_id: int) -> SearchOperation:
    """Keep the checkpoint and free the slots; it may be continued later."""
    return _operation(OperationKind.PAUSE, trial_id=trial_id)


def close(trial_id: int, reason: CloseReason = CloseReason.FINISHED) -> SearchOperation:
    """The trial is over."""
    return _operation(OperationKind.CLOSE, trial_id=trial_id, reason=reason)


def _operation(kind: OperationKind, **fields: Any) -> SearchOperation:
    values: dict[str, JsonValue] = {"operation": kind.value, **fields}
    return SearchOperation.model_validate(values)
