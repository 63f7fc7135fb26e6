"""Sampler: the interface of what draws hyperparameters."""

from abc import ABC, abstractmethod

import numpy as np

from etude.config import Space
from etude.events import Hyperparameters


class Sampler(ABC):
    """Draws the hyperparameters of one trial after another.

    Parameters
    ----------
    space : what may vary, and within which bounds
    """

    @abstractmethod
    def __init__(self, space: Space) -> None: ...

    @property
    def points(self) -> int | None:
        """How many distinct draws there are, if that is known and each is made once."""
        return None

    @abstractmethod
    def draw(self, index: int, generator: np.random.Generator) -> Hyperparameters:
        """The hyperparameters of trial number ``index`` (from 1); all randomness comes from ``generator``."""


def nested(flat: dict[tuple[str, ...], object]) -> Hyperparameters:
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
