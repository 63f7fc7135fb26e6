"""Random sampling: every hyperparameter drawn on its own."""

import numpy as np
from pydantic import JsonValue

from etude.config import Categorical, Const, Double, Int, Log, Parameter, Space
from etude.events import Hyperparameters
from etude_searcher.samplers.sampler import Sampler, nested


class RandomSampler(Sampler):
    """Uniform over integers, reals, exponents and categories."""

    def __init__(self, space: Space) -> None:
        self._parameters = list(space.parameters())

    def draw(self, index: int, generator: np.random.Generator) -> Hyperparameters:
        return nested({path: draw(parameter, generator) for path, parameter in self._parameters})


def draw(parameter: Parameter, generator: np.random.Generator) -> JsonValue:
    """One value of one hyperparameter."""
    match parameter:
        case Const():
            return parameter.val
        case Int():
            return int(generator.integers(parameter.minval, parameter.maxval, endpoint=True))
        case Double():
            return float(generator.uniform(parameter.minval, parameter.maxval))
        case Log():
            return float(parameter.base ** generator.uniform(parameter.minval, parameter.maxval))
        case Categorical():
            return parameter.vals[int(generator.integers(len(parameter.vals)))]
