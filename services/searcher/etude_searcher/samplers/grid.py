"""Grid sampling: every point of the grid once, in order."""

import math

import numpy as np
from pydantic import JsonValue

from etude.config import Categorical, Const, Double, Int, Log, Parameter, Space
from etude.events import Hyperparameters
from etude_searcher.samplers.sampler import Sampler, nested


class GridSampler(Sampler):
    """The product of all axes; names sorted, the last axis varies fastest."""

    def __init__(self, space: Space) -> None:
        self._axes = [(path, axis(parameter)) for path, parameter in space.parameters()]

    @property
    def points(self) -> int | None:
        return math.prod(len(values) for _, values in self._axes)

    def draw(self, index: int, generator: np.random.Generator) -> Hyperparameters:
        rest = (index - 1) % (self.points or 1)
        values: dict[tuple[str, ...], object] = {}
        for path, choices in reversed(self._axes):
            rest, place = divmod(rest, len(choices))
            values[path] = choices[place]
        return nested({path: values[path] for path, _ in self._axes})


def axis(parameter: Parameter) -> list[JsonValue]:
    """The values of one hyperparameter in a grid."""
    match parameter:
        case Const():
            return [parameter.val]
        case Categorical():
            return list(parameter.vals)
        case Int():
            count = min(parameter.count or 1, parameter.maxval - parameter.minval + 1)
            return [math.floor(value + 0.5) for value in _spread(parameter.minval, parameter.maxval, count)]
        case Double():
            return list(_spread(parameter.minval, parameter.maxval, parameter.count or 1))
        case Log():
            return [
                parameter.base**value for value in _spread(parameter.minval, parameter.maxval, parameter.count or 1)
            ]


def _spread(low: float, high: float, count: int) -> list[float]:
    if count == 1:
        return [(low + high) / 2]
    return [low + (high - low) * k / (count - 1) for k in range(count)]
