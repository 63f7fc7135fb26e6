"""Synchronous successive halving (Jamieson and Talwalkar, AISTATS 2016): a fixed population for each rung."""

import math
from collections import deque
from typing import Any

from etude.config import SyncHalvingConfig
from etude.events import CloseReason, ExitReason
from etude_searcher.methods.method import NewTrial, SearchMethod, UnchangeableError
from etude_searcher.methods.operation import Close, Continue, Create, Operation, Pause
from etude_searcher.methods.rung import WORST, Rung, targets


class SyncHalving(SearchMethod):
    """Promote the best of each rung into the next, as soon as it is certain that they belong there.

    With ``m`` of the ``n`` results of a rung in, a trial at rank ``r`` (from 0) is certain to be among the ``p`` that
    the next rung holds once ``r + (n - m) < p``, and certain not to be once ``r >= p``.
    """

    def __init__(self, config: SyncHalvingConfig, new_trial: NewTrial, points: int | None = None) -> None:
        lengths = targets(config.max_length.amount, config.num_rungs, config.divisor)
        if config.max_trials is not None:
            trials = config.max_trials if points is None else min(config.max_trials, points)
            self._populations = populations_of_trials(trials, config.num_rungs, config.divisor)
        else:
            assert config.budget is not None
            self._populations = populations_of_budget(config.budget.amount, lengths, config.divisor, points)
        self._concurrent = config.max_concurrent_trials or self._populations[0]
        self._new_trial = new_trial
        self._rungs = [Rung(length) for length in lengths]
        self._rung_of: dict[int, int] = {}
        self._promotions: deque[int] = deque()  # certain, and waiting for their turn
        self._closed: set[int] = set()
        self._created = 0  # without those that were replaced

    def start(self) -> list[Operation]:
        return self._fill()

    def validation_completed(self, trial_id: int, length: int, metric: float) -> list[Operation]:
        operations = self._enter(trial_id, metric)
        operations += self._fill()
        if not any(operation.trial_id == trial_id for operation in operations):
            operations.insert(0, Pause(trial_id))
        return operations

    def trial_exited(self, trial_id: int, reason: ExitReason) -> list[Operation]:
        self._closed.add(trial_id)
        if reason is ExitReason.INVALID_HYPERPARAMETERS:
            for rung in self._rungs:
                rung.forget(trial_id)
            self._created -= 1
            return self._fill()
        operations: list[Operation] = []
        if trial_id in self._rungs[self._rung_of[trial_id]].outstanding:
            operations += self._enter(trial_id, WORST)
        return operations + self._fill()

    def change(self, config: SyncHalvingConfig) -> list[Operation]:
        """More or fewer at a time; populations are what they were when the search began."""
        lengths = targets(config.max_length.amount, config.num_rungs, config.divisor)
        same = lengths == [rung.target for rung in self._rungs]
        if config.max_trials is not None:
            same &= populations_of_trials(config.max_trials, config.num_rungs, config.divisor) == self._populations
        if not same:
            raise UnchangeableError(
                "the populations of a synchronous search are fixed; only max_concurrent_trials can be changed"
            )
        self._concurrent = config.max_concurrent_trials or self._populations[0]
        return self._fill()

    def progress(self) -> float:
        """The share of all results, of all rungs, that are in."""
        return sum(map(len, self._rungs)) / sum(self._populations)

    def snapshot(self) -> dict[str, Any]:
        return {
            "rungs": [rung.snapshot() for rung in self._rungs],
            "rung_of": list(self._rung_of.items()),
            "promotions": list(self._promotions),
            "closed": sorted(self._closed),
            "created": self._created,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        self._rungs = [Rung.restored(state) for state in snapshot["rungs"]]
        self._rung_of = dict(snapshot["rung_of"])
        self._promotions = deque(snapshot["promotions"])
        self._closed = set(snapshot["closed"])
        self._created = snapshot["created"]

    def _enter(self, trial_id: int, metric: float) -> list[Operation]:
        """A result enters the rung that its trial is in: some may now be promoted, and others have no chance left."""
        k = self._rung_of[trial_id]
        rung = self._rungs[k]
        rung.outstanding.discard(trial_id)
        rung.enter(trial_id, metric)
        if k == len(self._rungs) - 1:
            return self._close(trial_id, CloseReason.FINISHED)
        places = self._populations[k + 1]
        certain = places - (self._populations[k] - len(rung))
        operations: list[Operation] = []
        where = f"with {len(rung)} of {self._populations[k]} results at {rung.target}, of which {places} go on"
        for rank in range(max(certain, 0)):
            trial = rung.at(rank)
            if trial not in rung.promoted:
                self.because(f"trial {trial} is promoted: rank {rank + 1} is certain to be enough {where}")
                operations += self._promote(trial)
        for rank in range(places, len(rung)):
            if closed := self._close(rung.at(rank), CloseReason.STOPPED):
                self.because(f"trial {rung.at(rank)} is stopped: rank {rank + 1} is not enough {where}")
                operations += closed
        return operations

    def _promote(self, trial_id: int) -> list[Operation]:
        k = self._rung_of[trial_id]
        self._rungs[k].promoted.add(trial_id)
        self._rung_of[trial_id] = k + 1
        if trial_id in self._closed:  # it cannot train any more: it fails up there, too
            return self._enter(trial_id, WORST)
        self._rungs[k + 1].outstanding.add(trial_id)
        self._promotions.append(trial_id)
        return []

    def _fill(self) -> list[Operation]:
        """Let as many train as may: promotions first, then new trials."""
        operations: list[Operation] = []
        free = self._concurrent - (sum(len(rung.outstanding) for rung in self._rungs) - len(self._promotions))
        while free > 0 and self._promotions:
            trial_id = self._promotions.popleft()
            operations.append(Continue(trial_id, self._rungs[self._rung_of[trial_id]].target))
            free -= 1
        while free > 0 and self._created < self._populations[0]:
            operations.append(self._create())
            free -= 1
        return operations

    def _create(self) -> Operation:
        trial_id = self._new_trial()
        self._created += 1
        self._rung_of[trial_id] = 0
        self._rungs[0].outstanding.add(trial_id)
        return Create(trial_id, self._rungs[0].target)

    def _close(self, trial_id: int, reason: CloseReason) -> list[Operation]:
        if trial_id in self._closed:
            return []
        self._closed.add(trial_id)
        return [Close(trial_id, reason)]


def populations_of_trials(trials: int, rungs: int, divisor: float) -> list[int]:
    """``max(floor(trials / d^k), 1)`` for each rung.

    >>> populations_of_trials(12, 3, 3)
    [12, 4, 1]
    """
    return [max(math.floor(trials / divisor**k), 1) for k in range(rungs)]


def populations_of_budget(budget: int, lengths: list[int], divisor: float, points: int | None = None) -> list[int]:
    """The populations ``d^(R-1-k)`` scaled to a budget of training, floored, and at least one, never growing upwards.

    Parameters
    ----------
    budget : of all trials together, in the unit of ``lengths``
    lengths : of the rungs, as totals

    >>> populations_of_budget(480, [12, 50, 200, 800], 4)
    [11, 2, 1, 1]
    """
    unit = [divisor ** (len(lengths) - 1 - k) for k in range(len(lengths))]
    stretches = [length - before for length, before in zip(lengths, [0, *lengths[:-1]], strict=True)]
    scale = budget / sum(population * stretch for population, stretch in zip(unit, stretches, strict=True))
    populations: list[int] = []
    most = points or math.inf
    for population in unit:
        most = min(max(math.floor(population * scale), 1), most)
        populations.append(int(most))
    return populations
