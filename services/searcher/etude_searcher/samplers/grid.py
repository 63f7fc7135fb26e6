"""Grid sampling: every point of the grid once, in order."""

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
from pydantic import JsonValue

from etude.config import Categorical, Const, Double, Int, Log, Parameter, Space, after_steps
from etude.events import Hyperparameters
from etude_searcher.samplers.sampler import Fits, Sampler, nested

_MOST_LISTED = 1_000_000


class GridSampler(Sampler):
    """The product of all axes; names sorted, the last axis varies fastest.

    With conditions and constraints the points that do not fit are left out, and those that a condition makes equal
    count once.
    """

    def __init__(
        self, space: Space, fits: Fits = None, options: Mapping[str, Any] | None = None, seed: int = 0
    ) -> None:
        super().__init__(space, fits, options, seed)
        self._axes = [(path, axis(parameter)) for path, parameter in space.parameters()]
        self._count = math.prod(len(values) for _, values in self._axes)
        conditional = any(parameter.condition for _, parameter in space.parameters())
        self._listed = list(self._distinct(fits)) if conditional or fits is not None else None
        if self._listed is not None:
            self._count = len(self._listed)
        if self._count == 0:
            raise ValueError("the constraints leave no point of the grid; widen the ranges, or the constraints")

    @property
    def points(self) -> int | None:
        return self._count

    def draw(self, index: int, generator: np.random.Generator, attempt: int = 0) -> Hyperparameters:
        place = (index - 1) % self._count
        return self._listed[place] if self._listed is not None else self._at(place)

    def _at(self, place: int) -> Hyperparameters:
        values: dict[tuple[str, ...], object] = {}
        for path, choices in reversed(self._axes):
            place, choice = divmod(place, len(choices))
            values[path] = choices[choice]
        return nested({path: values[path] for path, _ in self._axes})

    def _distinct(self, fits: Fits) -> Iterator[Hyperparameters]:
        if self._count > _MOST_LISTED:
            raise ValueError(
                f"a grid of {self._count} points is too large to be searched for those that satisfy conditions and "
                f"constraints; {_MOST_LISTED} is the most"
            )
        seen = set()
        for place in range(self._count):
            values = self._space.active(self._at(place))
            key = json.dumps(values, sort_keys=True)
            if key not in seen and (fits is None or fits(values)):
                seen.add(key)
                yield values


def finite_points(space: Space, most: int) -> Iterator[Hyperparameters]:
    """All points of a space if it has no more than ``most``; what a condition makes equal comes more than once."""
    axes = [(path, _all_values(parameter)) for path, parameter in space.parameters()]
    if any(values is None for _, values in axes) or math.prod(len(values or ()) for _, values in axes) > most:
        return
    for point in itertools.product(*(values or () for _, values in axes)):
        yield space.active(nested(dict(zip((path for path, _ in axes), point, strict=True))))


def _all_values(parameter: Parameter) -> list[JsonValue] | None:
    """All that a hyperparameter can be; None if that is a continuum."""
    match parameter:
        case Const() | Categorical():
            return axis(parameter)
        case Int(step=None):
            return list(range(parameter.minval, parameter.maxval + 1)) if _is_short(parameter) else None
        case Int() | Double() | Log() if parameter.step is not None:
            return axis(parameter.model_copy(update={"count": None}))
    return None


def _is_short(parameter: Int) -> bool:
    return parameter.maxval - parameter.minval < _MOST_LISTED


def axis(parameter: Parameter) -> list[JsonValue]:
    """The values of one hyperparameter in a grid; with a step, all of them if no count is given."""
    match parameter:
        case Const():
            return [parameter.val]
        case Categorical():
            return list(parameter.vals)
        case Int(step=None):
            count = min(parameter.count or 1, parameter.maxval - parameter.minval + 1)
            return [math.floor(value + 0.5) for value in _spread(parameter.minval, parameter.maxval, count)]
        case Int():
            return [int(value) for value in _stepped(parameter)]
        case Double():
            return list(_stepped(parameter))
        case Log():
            return [parameter.base**value for value in _stepped(parameter)]


def _stepped(parameter: Int | Double | Log) -> list[float]:
    """Evenly spaced values, or evenly chosen ones of those that a step allows."""
    low, high, step = parameter.minval, parameter.maxval, parameter.step
    if step is None:
        return _spread(low, high, parameter.count or 1)
    steps = math.floor((high - low) / step + 1e-9)
    count = min(parameter.count or steps + 1, steps + 1)
    return [after_steps(low, step, math.floor(place + 0.5)) for place in _spread(0, steps, count)]


def _spread(low: float, high: float, count: int) -> list[float]:
    if count == 1:
        return [(low + high) / 2]
    first, span = Decimal(repr(low)), Decimal(repr(high)) - Decimal(repr(low))
    return [
        float(first + span * k / (count - 1)) for k in range(count)
    ]  # as people write it: 0.3, not 0.30000000000000004
