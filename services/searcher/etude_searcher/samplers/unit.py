"""The unit interval: every hyperparameter as a number from 0 to 1, in which draws are uniform."""

import math

from pydantic import JsonValue

from etude.config import Categorical, Const, Double, Int, Log, Parameter, after_steps


def from_unit(parameter: Parameter, u: float) -> JsonValue:
    """The value at a place of the unit interval.

    Parameters
    ----------
    u : in [0, 1); equal parts of the interval belong to equally likely values
    """
    match parameter:
        case Const():
            return parameter.val
        case Categorical():
            return parameter.vals[min(int(u * len(parameter.vals)), len(parameter.vals) - 1)]
        case Int():
            step = parameter.step or 1
            count = (parameter.maxval - parameter.minval) // step + 1
            return parameter.minval + step * min(int(u * count), count - 1)
        case Double():
            return _stepped(parameter.minval, parameter.maxval, parameter.step, u)
        case Log():
            return float(parameter.base ** _stepped(parameter.minval, parameter.maxval, parameter.step, u))


def to_unit(parameter: Parameter, value: JsonValue) -> float:
    """A place of the unit interval from which the value comes; the middle, where there are many."""
    match parameter:
        case Const():
            return 0.5
        case Categorical():
            return (parameter.vals.index(value) + 0.5) / len(parameter.vals)
    assert isinstance(value, int | float), f"{value!r} is no number"
    match parameter:
        case Int():
            step = parameter.step or 1
            count = (parameter.maxval - parameter.minval) // step + 1
            return _clipped(((value - parameter.minval) / step + 0.5) / count)
        case Double():
            return _share(parameter.minval, parameter.maxval, value)
        case Log():
            exponent = math.log(value) / math.log(parameter.base) if value > 0 else parameter.minval
            return _share(parameter.minval, parameter.maxval, exponent)


def _stepped(low: float, high: float, step: float | None, u: float) -> float:
    if step is None:
        return low + (high - low) * u
    count = math.floor((high - low) / step + 1e-9) + 1
    return after_steps(low, step, min(int(u * count), count - 1))


def _share(low: float, high: float, value: float) -> float:
    return _clipped((value - low) / (high - low)) if high > low else 0.5


def _clipped(u: float) -> float:
    return min(max(u, 0.0), 1.0)
