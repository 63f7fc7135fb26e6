"""Rung: the results of all trials that reached one length."""

import bisect
import math
from typing import Any, Self

WORST = math.inf


class Rung:
    """Results in order of merit, who was promoted out of it, and who is on the way to it.

    Parameters
    ----------
    target : length that a trial has when its result enters, a total
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.outstanding: set[int] = set()
        self.promoted: set[int] = set()
        self._entered = 0
        self._results: list[tuple[float, int, int]] = []  # metric, order of entry, trial

    def __len__(self) -> int:
        return len(self._results)

    def enter(self, trial_id: int, metric: float) -> int:
        """Add a result; returns its rank from 0. Of equal metrics the earlier one ranks higher."""
        result = (metric, self._entered, trial_id)
        self._entered += 1
        rank = bisect.bisect(self._results, result)
        self._results.insert(rank, result)
        return rank

    def at(self, rank: int) -> int:
        """The trial at a rank."""
        return self._results[rank][2]

    def metric(self, rank: int) -> float:
        """The metric at a rank."""
        return self._results[rank][0]

    def unpromoted(self) -> list[int]:
        """The trials that nobody promoted, best first."""
        return [trial for _, _, trial in self._results if trial not in self.promoted]

    def failed(self, trial_id: int) -> bool:
        """Did a trial enter without a result?"""
        return any(trial == trial_id and metric == WORST for metric, _, trial in self._results)

    def forget(self, trial_id: int) -> None:
        """Remove what a trial left here."""
        self._results = [result for result in self._results if result[2] != trial_id]
        self.promoted.discard(trial_id)
        self.outstanding.discard(trial_id)

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON values."""
        return {
            "target": self.target,
            "outstanding": sorted(self.outstanding),
            "promoted": sorted(self.promoted),
            "entered": self._entered,
            "results": [
                [None if math.isinf(metric) else metric, order, trial] for metric, order, trial in self._results
            ],
        }

    @classmethod
    def restored(cls, snapshot: dict[str, Any]) -> Self:
        """The rung that made the snapshot."""
        rung = cls(snapshot["target"])
        rung.restore(snapshot)
        return rung

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over the state of a snapshot."""
        self.outstanding = set(snapshot["outstanding"])
        self.promoted = set(snapshot["promoted"])
        self._entered = snapshot["entered"]
        self._results = [
            (WORST if metric is None else metric, order, trial) for metric, order, trial in snapshot["results"]
        ]


def targets(max_length: int, rungs: int, divisor: float) -> list[int]:
    """The lengths of all rungs, as totals: ``max(floor(L / d^(R-1-k)), 1)``, and each at least one more than the last.

    >>> targets(9000, 3, 3), targets(800, 4, 4)
    ([1000, 3000, 9000], [12, 50, 200, 800])
    """
    lengths: list[int] = []
    for k in range(rungs):
        length = max(math.floor(max_length / divisor ** (rungs - 1 - k)), 1)
        lengths.append(max(length, lengths[-1] + 1) if lengths else length)
    return lengths
