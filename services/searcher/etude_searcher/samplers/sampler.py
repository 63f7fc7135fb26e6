"""Sampler: the interface of what draws hyperparameters."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from etude.config import Space
from etude.events import Hyperparameters

Fits = Callable[[Hyperparameters], bool] | None
"""Do values satisfy the constraints? None if there are none."""


class Sampler(ABC):
    """Draws the hyperparameters of one trial after another.

    Parameters
    ----------
    space : what may vary, and within which bounds
    fits : the constraints; a draw that does not fit is drawn again, so only samplers that enumerate must ask
    options : further fields of ``searcher.sampler``
    seed : of the experiment

    Raises
    ------
    ValueError
        The sampler cannot be used for this space, or an option makes no sense.
    """

    def __init__(
        self, space: Space, fits: Fits = None, options: Mapping[str, Any] | None = None, seed: int = 0
    ) -> None:
        self._space = space
        self._seed = seed
        if unknown := sorted(set(options or {}) - self.options):
            known = ", ".join(sorted(self.options)) or "none"
            raise ValueError(f"searcher.sampler has no option {unknown[0]!r} here; there are: {known}")

    options: ClassVar[frozenset[str]] = frozenset()
    """The fields of ``searcher.sampler`` that it understands."""
    thinks: ClassVar[bool] = False
    """Does :meth:`prepare` do anything?"""
    unprepared: int = 0
    """Draws that were made at random because nothing was prepared in time."""

    @property
    def points(self) -> int | None:
        """How many distinct draws there are, if that is known and each is made once."""
        return None

    @abstractmethod
    def draw(self, index: int, generator: np.random.Generator, attempt: int = 0) -> Hyperparameters:
        """The hyperparameters of trial number ``index`` (from 1).

        Parameters
        ----------
        generator : where all randomness comes from
        attempt : from 0; above it what was drawn before did not fit, or was drawn already
        """

    def observe(self, trial_id: int, hyperparameters: Hyperparameters, length: int, metric: float) -> None:  # noqa: B027
        """A result, at whatever length; smaller metrics are better."""

    def prepare(self) -> None:  # noqa: B027
        """Do what takes long, for the next draw; called when there is time, perhaps on another thread."""

    def snapshot(self) -> dict[str, Any]:
        """What was learned, as JSON values."""
        return {}

    def restore(self, snapshot: dict[str, Any], hyperparameters: Mapping[int, Hyperparameters]) -> None:  # noqa: B027
        """Take over what was learned.

        Parameters
        ----------
        hyperparameters : of all trials
        """


def nested(flat: Mapping[tuple[str, ...], object]) -> Hyperparameters:
    """Put values under the keys of their paths.

    >>> nested({("lr",): 0.1, ("net", "width"): 8})
    {'lr': 0.1, 'net': {'width': 8}}
    """
    result: dict[str, object] = {}
    for path, value in flat.items():
        place = result
        for key in path[:-1]:
            place = place.setdefault(key, {})  # type: ignore[assignment]
        place[path[-1]] = value
    return result  # type: ignore[return-value]
