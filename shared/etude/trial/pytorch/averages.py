"""Averages: metrics over batches, by default their weighted means."""

from collections.abc import Mapping
from typing import Any

import torch

from etude.core.distributed import Distributed
from etude.core.metrics import read_number
from etude.trial.pytorch.reducer import Reducer


class Averages:
    """Metrics by name, reduced as batches go by. They stay on the device until they are asked for.

    Parameters
    ----------
    reducer : for all metrics, or by name; those that are not named are averaged
    """

    def __init__(self, reducer: Reducer | Mapping[str, Reducer] = Reducer.AVG) -> None:
        self._reducer = reducer
        self._values: dict[str, Any] = {}
        self._weights: dict[str, float] = {}
        self._information: dict[str, Any] = {}

    def add(self, metrics: Mapping[str, Any], weight: float = 1.0) -> None:
        """Add the metrics of one batch."""
        for name, value in metrics.items():
            number = _number(value)
            if number is None:
                self._information[name] = value
            else:
                self._combine(name, number * weight if self._how(name) is Reducer.AVG else number, weight)

    def merge(self, distributed: Distributed) -> None:
        """Add what all processes have gathered; in the first one, that is."""
        told = distributed.gather(({name: float(value) for name, value in self._values.items()}, self._weights))
        self._values, self._weights = {}, {}
        for values, weights in told:
            for name, value in values.items():
                self._combine(name, value, weights[name])

    def take(self) -> dict[str, Any]:
        """The metrics, with what was no number as it came last, and begin anew."""
        taken: dict[str, Any] = {
            name: float(value) / self._weights[name] if self._how(name) is Reducer.AVG else float(value)
            for name, value in self._values.items()
        }
        taken = {**self._information, **taken}
        self._values.clear()
        self._weights.clear()
        self._information.clear()
        return taken

    def _how(self, name: str) -> Reducer:
        return self._reducer if isinstance(self._reducer, Reducer) else self._reducer.get(name, Reducer.AVG)

    def _combine(self, name: str, value: Any, weight: float) -> None:
        if name not in self._values:
            self._values[name] = value
        elif self._how(name) is Reducer.MAX:
            self._values[name] = max(self._values[name], value)
        elif self._how(name) is Reducer.MIN:
            self._values[name] = min(self._values[name], value)
        else:
            self._values[name] = self._values[name] + value
        self._weights[name] = self._weights.get(name, 0.0) + weight


def _number(value: Any) -> Any:
    """A tensor of one element on its device, or what else is a number; None for anything else."""
    if isinstance(value, torch.Tensor):
        return value.detach().double().reshape(()) if value.numel() == 1 and not value.is_complex() else None
    return read_number(value)


def records(batch: Any) -> int:
    """How many records a batch holds: the length of its first tensor."""
    if isinstance(batch, torch.Tensor):
        return int(batch.shape[0]) if batch.dim() else 1
    if isinstance(batch, Mapping):
        return max((records(value) for value in list(batch.values())[:1]), default=1)
    if isinstance(batch, list | tuple) and batch:
        return records(batch[0]) if not isinstance(batch[0], str | int | float) else len(batch)
    return 1
