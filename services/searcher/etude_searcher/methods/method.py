"""SearchMethod: the small interface that every search method implements."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from etude.events import ExitReason
from etude_searcher.methods.operation import Operation

NewTrial = Callable[[], int]
"""Gives the number of a trial that is to be created; brackets of one search share it."""


class UnchangeableError(ValueError):
    """A search cannot be changed so while it runs; the message says what can be changed."""


class SearchMethod(ABC):
    """Decides, event by event, who trains how long.

    A method answers every validation at a trial's target with exactly one of Continue, Pause or Close for that trial,
    and may create or continue others. Lengths are totals, in the unit of the configuration. Metrics come with the
    sign turned so that smaller is better, and are finite.

    Parameters
    ----------
    config : the ``searcher`` section of the configuration
    new_trial : gives the numbers of new trials
    points : how many distinct hyperparameters the sampler can draw, if it knows (a grid does)
    """

    @abstractmethod
    def __init__(self, config: Any, new_trial: NewTrial, points: int | None = None) -> None: ...

    def because(self, reason: str) -> None:
        """Say why something was decided, for people who ask."""
        self.__dict__.setdefault("_reasons", []).append(reason)

    def take_reasons(self) -> list[str]:
        """All that was said since the last time; not part of the state."""
        reasons: list[str] = self.__dict__.pop("_reasons", [])
        return reasons

    @abstractmethod
    def start(self) -> list[Operation]:
        """The first trials."""

    @abstractmethod
    def validation_completed(self, trial_id: int, length: int, metric: float) -> list[Operation]:
        """The trial reached its target."""

    @abstractmethod
    def trial_exited(self, trial_id: int, reason: ExitReason) -> list[Operation]:
        """The trial is gone for good and without a result; it needs no answer."""

    def trial_returned(self, trial_id: int) -> list[Operation]:
        """A trial whose restarts were used up is to be tried again, towards the length that it had not reached.

        It is continued, at once or when it is its turn, as if it had never exited.

        Raises
        ------
        UnchangeableError
            The method has no place for it any more; it is as it was.
        """
        raise UnchangeableError("this search has no place for a trial that failed; create a new experiment")

    def rungs_of(self, trial_id: int) -> tuple[int, list[int]]:
        """The number of the bracket that a trial is in, from 0, and the lengths of its rungs, if it has any."""
        return 0, []

    def change(self, config: Any) -> list[Operation]:
        """Take over another configuration of the same search, and do what follows from it.

        Parameters
        ----------
        config : the new ``searcher`` section; of what a live change can touch, ``max_trials``, ``max_length`` and
            ``max_concurrent_trials`` may differ from the one before

        Raises
        ------
        UnchangeableError
            The method cannot do that; it is as it was.
        """
        raise UnchangeableError(f"a {config.name} search cannot be changed while it runs; create a new experiment")

    @abstractmethod
    def progress(self) -> float:
        """From 0 to 1, never falling but for trials that must be replaced."""

    @abstractmethod
    def snapshot(self) -> dict[str, Any]:
        """The state as JSON values."""

    @abstractmethod
    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over the state of a snapshot."""
