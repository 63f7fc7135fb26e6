"""Trial: the base of all classes that an entrypoint can name."""

from abc import ABC, abstractmethod

from etude.core.run import Run
from etude.trial.context import TrialContext


class Trial(ABC):
    """A model, its data and how it is trained, written once for every trial of a search.

    ``context`` gives the hyperparameters of the trial at hand.
    """

    @abstractmethod
    def __init__(self, context: TrialContext) -> None: ...

    @classmethod
    @abstractmethod
    def controller(cls, run: Run) -> None:
        """Carry a run out from its checkpoint to its last target."""
