"""Random sampling: every hyperparameter drawn on its own."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import JsonValue

from etude.config import Parameter, Space
from etude.events import Hyperparameters
from etude_searcher.samplers.sampler import Fits, Sampler, nested
from etude_searcher.samplers.unit import from_unit


class RandomSampler(Sampler):
    """Uniform over integers, reals, exponents and categories."""

    def __init__(
        self, space: Space, fits: Fits = None, options: Mapping[str, Any] | None = None, seed: int = 0
    ) -> None:
        super().__init__(space, fits, options, seed)
        self._parameters = list(space.parameters())

    def draw(self, index: int, generator: np.random.Generator, attempt: int = 0) -> Hyperparameters:
        return nested({path: draw(parameter, generator) for path, parameter in self._parameters})


def draw(parameter: Parameter, generator: np.random.Generator) -> JsonValue:
    """One value of one hyperparameter."""
    return from_unit(parameter, float(generator.random()))
