"""Operations: what a search method wants done with a trial."""

from dataclasses import dataclass

from etude.events import CloseReason


@dataclass(frozen=True)
class Create:
    """A new trial, trained until ``length``."""

    trial_id: int
    length: int


@dataclass(frozen=True)
class Clone:
    """A new trial that begins from the latest checkpoint of ``source``, with its hyperparameters explored.

    Its ``length`` counts from there.
    """

    trial_id: int
    length: int
    source: int


@dataclass(frozen=True)
class Continue:
    """Train on until ``length``, a total."""

    trial_id: int
    length: int


@dataclass(frozen=True)
class Pause:
    """Keep the checkpoint, free the slots: the trial may be promoted later."""

    trial_id: int


@dataclass(frozen=True)
class Close:
    """The trial is over."""

    trial_id: int
    reason: CloseReason = CloseReason.FINISHED


Operation = Create | Clone | Continue | Pause | Close
