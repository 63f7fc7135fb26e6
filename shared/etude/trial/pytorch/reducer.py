"""Reducers: how metrics of many batches, and of many slots, become one."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any


class Reducer(Enum):
    """For metrics that ``evaluate_batch`` returns."""

    AVG = "avg"
    """The mean, weighted by the records of each batch."""
    SUM = "sum"
    MAX = "max"
    MIN = "min"


class MetricReducer(ABC):
    """Gathers whatever it likes while batches go by, and makes a metric of it; see ``context.wrap_reducer``."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything: a new period or validation begins."""

    @abstractmethod
    def per_slot_reduce(self) -> Any:
        """What the process has gathered, small enough to be sent to the first one."""

    @abstractmethod
    def cross_slot_reduce(self, per_slot: Sequence[Any]) -> Any:
        """The metric, or several by name, from what all processes have gathered."""


class FunctionReducer(MetricReducer):
    """Gathers values by :meth:`update`, and gives those of all slots, a list each, to a function.

    >>> spread = FunctionReducer(lambda slots: max(map(max, slots)) - min(map(min, slots)))
    >>> spread.update(3.0)
    >>> spread.update(1.0)
    >>> spread.cross_slot_reduce([spread.per_slot_reduce()])
    2.0
    """

    def __init__(self, function: Callable[[Sequence[list[Any]]], Any]) -> None:
        self._function = function
        self._values: list[Any] = []

    def update(self, value: Any) -> None:
        """Gather a value."""
        self._values.append(value)

    def reset(self) -> None:
        self._values = []

    def per_slot_reduce(self) -> list[Any]:
        return self._values

    def cross_slot_reduce(self, per_slot: Sequence[list[Any]]) -> Any:
        return self._function(per_slot)
