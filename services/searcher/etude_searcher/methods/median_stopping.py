"""Median stopping (Golovin et al., "Google Vizier", KDD 2017, section 3.2.2)."""

import math
from bisect import insort
from typing import Any

from etude.config import MedianStoppingConfig
from etude.events import CloseReason, ExitReason
from etude_searcher.methods.method import NewTrial, SearchMethod, UnchangeableError
from etude_searcher.methods.operation import Close, Continue, Create, Operation

_CHECKS = 10


class MedianStopping(SearchMethod):
    """Stop a trial whose best result so far is worse than the median of the others' running averages at that length.

    The others are the trials that were trained to the end. Every ``interval`` a trial is judged; before
    ``grace_length``, and before ``min_trials`` others are there, it goes on in any case.
    """

    def __init__(self, config: MedianStoppingConfig, new_trial: NewTrial, points: int | None = None) -> None:
        self._length = config.max_length.amount
        self._interval = config.interval.amount if config.interval else max(self._length // _CHECKS, 1)
        self._grace = config.grace_length.amount if config.grace_length else self._interval
        self._min_trials = config.min_trials
        self._trials = config.max_trials if points is None else min(config.max_trials, points)
        self._concurrent = config.max_concurrent_trials or self._trials
        self._new_trial = new_trial
        self._results: dict[int, list[float]] = {}  # of trials on their way
        self._averages: dict[int, list[float]] = {}  # length to the finished trials' running averages, sorted
        self._failed: dict[int, list[float]] = {}  # of those that exited
        self._again: list[int] = []  # of these, who waits for its turn
        self._created = 0
        self._over = 0

    def start(self) -> list[Operation]:
        return [self._create() for _ in range(min(self._concurrent, self._trials))]

    def validation_completed(self, trial_id: int, length: int, metric: float) -> list[Operation]:
        results = self._results[trial_id]
        results.append(metric)
        if length >= self._length:
            self._remember(results)
            return self._end(trial_id, CloseReason.FINISHED)
        if length >= self._grace and self._is_worse_than_the_median(min(results), length):
            return self._end(trial_id, CloseReason.STOPPED)
        return [Continue(trial_id, self._after(length))]

    def trial_exited(self, trial_id: int, reason: ExitReason) -> list[Operation]:
        self._failed[trial_id] = self._results.pop(trial_id)
        self._over += 1
        if reason is ExitReason.INVALID_HYPERPARAMETERS:
            self._over -= 1
            self._created -= 1
        return self._next()

    def trial_returned(self, trial_id: int) -> list[Operation]:
        self._over -= 1
        self._again.append(trial_id)
        return self._next()

    def change(self, config: MedianStoppingConfig) -> list[Operation]:
        """More trials, and more or fewer at a time."""
        if config.max_length.amount != self._length or config.max_trials < self._created:
            raise UnchangeableError(
                f"{self._created} trials have been begun; max_trials can only grow, and max_length stays as it is"
            )
        self._trials = config.max_trials
        self._concurrent = config.max_concurrent_trials or self._trials
        return [self._create() for _ in range(min(self._concurrent - len(self._results), self._trials - self._created))]

    def progress(self) -> float:
        return self._over / self._trials

    def snapshot(self) -> dict[str, Any]:
        return {
            "results": [[trial, results] for trial, results in self._results.items()],
            "averages": [[length, averages] for length, averages in self._averages.items()],
            "failed": [[trial, results] for trial, results in self._failed.items()],
            "again": self._again,
            "created": self._created,
            "over": self._over,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        self._results = {trial: list(results) for trial, results in snapshot["results"]}
        self._averages = {length: list(averages) for length, averages in snapshot["averages"]}
        self._failed = {trial: list(results) for trial, results in snapshot["failed"]}
        self._again = list(snapshot["again"])
        self._created, self._over = snapshot["created"], snapshot["over"]

    def _after(self, length: int) -> int:
        """The next length at which a trial is judged."""
        return min((length // self._interval + 1) * self._interval, self._length)

    def _remember(self, results: list[float]) -> None:
        total, length = 0.0, 0
        for count, result in enumerate(results, 1):
            total += result
            length = self._after(length)
            insort(self._averages.setdefault(length, []), total / count)

    def _is_worse_than_the_median(self, best: float, length: int) -> bool:
        others = self._averages.get(length, [])
        if len(others) < self._min_trials:
            return False
        middle = len(others) // 2
        median = others[middle] if len(others) % 2 else (others[middle - 1] + others[middle]) / 2
        worse = math.isfinite(median) and best > median
        self.because(
            f"its best, {best:.6g}, is {'worse' if worse else 'no worse'} than the median of {len(others)} running "
            f"averages at {length}, {median:.6g}"
        )
        return worse

    def _end(self, trial_id: int, reason: CloseReason) -> list[Operation]:
        del self._results[trial_id]
        self._over += 1
        return [Close(trial_id, reason), *self._next()]

    def _next(self) -> list[Operation]:
        if len(self._results) >= self._concurrent:
            return []
        if self._again:
            trial_id = self._again.pop(0)
            results = self._results[trial_id] = self._failed.pop(trial_id)
            return [Continue(trial_id, self._after(len(results) * self._interval))]
        return [self._create()] if self._created < self._trials else []

    def _create(self) -> Operation:
        trial_id = self._new_trial()
        self._created += 1
        self._results[trial_id] = []
        return Create(trial_id, self._after(0))
