"""Averages: weighted means of metrics over batches."""

from collections.abc import Mapping
from typing import Any

import torch

from etude.core.distributed import Distributed
from etude.core.errors import CoreError


class Averages:
    """Means of scalars by name. Sums stay on the device until they are asked for."""

    def __init__(self) -> None:
        self._sums: dict[str, Any] = {}
        self._weights: dict[str, float] = {}

    def add(self, metrics: Mapping[str, Any], weight: float = 1.0) -> None:
        """Add the metrics of one batch."""
        for name, value in metrics.items():
            if isinstance(value, torch.Tensor):
                if value.numel() != 1:
                    raise CoreError(
                        f"metric {name!r} has shape {tuple(value.shape)}; return a scalar, such as its mean()"
                    )
                value = value.detach().double().reshape(())  # noqa: PLW2901
            self._sums[name] = self._sums.get(name, 0.0) + value * weight
            self._weights[name] = self._weights.get(name, 0.0) + weight

    def merge(self, distributed: Distributed) -> None:
        """Add what all processes have gathered; in the first one, that is."""
        told = distributed.gather(({name: float(total) for name, total in self._sums.items()}, self._weights))
        self._sums, self._weights = {}, {}
        for sums, weights in told:
            for name in sums:
                self._sums[name] = self._sums.get(name, 0.0) + sums[name]
                self._weights[name] = self._weights.get(name, 0.0) + weights[name]

    def take(self) -> dict[str, float]:
        """The means, and begin anew."""
        means = {name: float(total) / self._weights[name] for name, total in self._sums.items()}
        self._sums.clear()
        self._weights.clear()
        return means


def records(batch: Any) -> int:
    """How many records a batch holds: the length of its first tensor."""
    if isinstance(batch, torch.Tensor):
        return int(batch.shape[0]) if batch.dim() else 1
    if isinstance(batch, Mapping):
        return max((records(value) for value in list(batch.values())[:1]), default=1)
    if isinstance(batch, list | tuple) and batch:
        return records(batch[0]) if not isinstance(batch[0], str | int | float) else len(batch)
    return 1
