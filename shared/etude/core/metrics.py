"""Metrics: what of all that training code may report is a number, and what is kept beside the numbers."""

import json
import math
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from etude.core.errors import CoreError, MetricError

_LONGEST = 10_000
"""Characters of what is no number."""
_NOT_NUMBERS = (str, bytes, bytearray, Mapping, list, tuple, set, frozenset, complex)


def read_number(value: Any) -> float | None:
    """The value as a number, or None if it is none.

    Numbers are Python's real ones, scalars of NumPy, torch and others, and arrays and tensors of one element. Text is
    none, whatever it says, nor is a list.

    >>> read_number(3), read_number("3"), read_number([3]), read_number(None)
    (3.0, None, None, None)
    """
    if hasattr(value, "detach"):  # a tensor that gradients flow through
        value = value.detach()
    if callable(getattr(value, "item", None)):
        try:
            value = value.item()
        except (TypeError, ValueError, RuntimeError):  # of many elements
            return None
    if isinstance(value, _NOT_NUMBERS):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None


def split_metrics(metrics: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, JsonValue]]:
    """The numbers by name, and the rest, as JSON values.

    Raises
    ------
    CoreError
        They have no names.
    """
    if not isinstance(metrics, Mapping):
        raise CoreError(f"metrics are {metrics!r}; report a dict of numbers by name, such as {{'loss': 0.5}}")
    numbers: dict[str, float] = {}
    information: dict[str, JsonValue] = {}
    for name, value in metrics.items():
        number = read_number(value)
        if number is None:
            information[str(name)] = _to_json(value)
        else:
            numbers[str(name)] = number
    return numbers, information


def check_searched_metric(name: str, information: Mapping[str, JsonValue]) -> None:
    """See that the metric which the search is for was not reported as something that is no number.

    One that was not reported at all is for the search to judge.

    Raises
    ------
    MetricError
        It is no number.
    """
    if name in information:
        raise MetricError(
            f"metric {name!r}, which the search is for, is {information[name]!r:.200}; report a number: a Python one, "
            "a scalar, or an array or tensor of one element"
        )


def to_wire(numbers: Mapping[str, float]) -> dict[str, float | str]:
    """Numbers as JSON has them; what it has no number for goes as a string that reads back as one."""
    return {name: number if math.isfinite(number) else str(number) for name, number in numbers.items()}


def _to_json(value: Any) -> JsonValue:
    """The value as JSON, or else what it looks like, cut if that is long."""
    if callable(getattr(value, "tolist", None)):
        if math.prod(getattr(value, "shape", ())) > _LONGEST:
            return f"array of shape {tuple(value.shape)}"
        value = value.tolist()
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return str(value)[:_LONGEST]
    return json.loads(text) if len(text) <= _LONGEST else text[:_LONGEST]
