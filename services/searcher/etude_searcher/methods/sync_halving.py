"""Synchronous successive halving (Jamieson and Talwalkar, AISTATS 2016): a fixed population for each rung."""

import math
import operator
from itertools import zip_longest
from typing import Any

from etude.config import SyncHalvingConfig
from etude.events import CloseReason
from etude_searcher.methods.halving import Halving
from etude_searcher.methods.method import NewTrial, UnchangeableError
from etude_searcher.methods.operation import Operation, Pause
from etude_searcher.methods.rung import WORST, Rung, targets


class SyncHalving(Halving):
    """Promote the best of each rung into the next, as soon as it is certain that they belong there.

    With ``m`` of the ``n`` results of a rung in, a trial at rank ``r`` (from 0) is certain to be among the ``p`` that
    the next rung holds once ``r + (n - m) < p``, and certain not to be once ``r >= p``.
    """

    def __init__(self, config: SyncHalvingConfig, new_trial: NewTrial, points: int | None = None) -> None:
        lengths = targets(config.max_length.amount, config.num_rungs, config.divisor)
        self._points = points
        self._populations = self._populations_of(config, lengths)
        super().__init__(lengths, config.max_concurrent_trials or self._populations[0], new_trial)

    def start(self) -> list[Operation]:
        return self._settle()

    def change(self, config: SyncHalvingConfig) -> list[Operation]:
        """Larger populations go on where the search stands; a longer ``max_length`` adds a rung on top.

        Trials that were closed as they had no chance are paused again, if they have one now.
        """
        lengths = [rung.target for rung in self._rungs]
        if config.max_length.amount > lengths[-1]:
            lengths.append(config.max_length.amount)
        populations = self._populations_of(config, lengths)
        if config.budget is not None:  # what a longer end costs is added, not taken from the rungs below
            populations = [max(*pair) for pair in zip_longest(populations, self._populations, fillvalue=0)]
        if config.max_length.amount < lengths[-1] or any(map(operator.lt, populations, self._populations)):
            raise UnchangeableError(
                f"a synchronous search that holds {self._populations} trials at {[r.target for r in self._rungs]} "
                f"{config.max_length.unit} can only grow, not shrink to {populations}"
            )
        self._rungs += [Rung(length) for length in lengths[len(self._rungs) :]]
        self._populations = populations
        self._concurrent = config.max_concurrent_trials or self._populations[0]
        operations: list[Operation] = [Pause(trial_id) for trial_id in self._reopen()]
        for k in range(len(self._rungs) - 1):
            operations += self._judge(k)
        return operations + self._settle()

    def progress(self) -> float:
        """The share of all results, of all rungs, that are in."""
        return sum(map(len, self._rungs)) / sum(map(self._expected, range(len(self._rungs))))

    def snapshot(self) -> dict[str, Any]:
        return {
            **super().snapshot(),
            "populations": list(self._populations),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        super().restore(snapshot)
        self._populations = list(snapshot["populations"])

    def _populations_of(self, config: SyncHalvingConfig, lengths: list[int]) -> list[int]:
        if config.max_trials is not None:
            trials = config.max_trials if self._points is None else min(config.max_trials, self._points)
            return populations_of_trials(trials, len(lengths), config.divisor)
        assert config.budget is not None
        return populations_of_budget(config.budget.amount, lengths, config.divisor, self._points)

    def _expected(self, k: int) -> int:
        """How many results a rung will hold: its population, and who was promoted before a change and is no longer."""
        return max(self._populations[k], len(self._rungs[k]) + len(self._rungs[k].outstanding))

    def _reopen(self) -> list[int]:
        """Who was closed, and may be among those that go on, now that more do."""
        reopened = sorted(
            trial_id
            for rung, places in zip(self._rungs, self._populations[1:], strict=False)
            for trial_id in (rung.at(rank) for rank in range(min(places, len(rung))))
            if trial_id in self._closed - self._exited and trial_id not in rung.promoted
        )
        self._closed -= set(reopened)
        return reopened

    def _enter(self, trial_id: int, metric: float) -> list[Operation]:
        k = self._rung_of[trial_id]
        rung = self._rungs[k]
        rung.outstanding.discard(trial_id)
        rung.enter(trial_id, metric)
        if k == len(self._rungs) - 1:
            return self._close(trial_id, CloseReason.FINISHED)
        return self._judge(k)

    def _judge(self, k: int) -> list[Operation]:
        """Promote out of a rung who is certain to belong above, and close who has no chance left."""
        rung = self._rungs[k]
        places = self._populations[k + 1]
        expected = self._expected(k)
        certain = places - (expected - len(rung))
        operations: list[Operation] = []
        where = f"with {len(rung)} of {expected} results at {rung.target}, of which {places} go on"
        for rank in range(max(certain, 0)):
            trial = rung.at(rank)
            if trial not in rung.promoted:
                self.because(f"trial {trial} is promoted: rank {rank + 1} is certain to be enough {where}")
                operations += self._promote(trial)
        for rank in range(places, len(rung)):
            trial = rung.at(rank)
            if trial not in rung.promoted and (closed := self._close(trial, CloseReason.STOPPED)):
                self.because(f"trial {trial} is stopped: rank {rank + 1} is not enough {where}")
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

    def _settle(self) -> list[Operation]:
        """Let as many train as may: promotions first, then new trials."""
        operations: list[Operation] = []
        free = self._concurrent - self._training()
        while free > 0 and self._promotions:
            operations.append(self._next_promotion())
            free -= 1
        while free > 0 and self.created < self._populations[0]:
            operations.append(self._create())
            free -= 1
        return operations

    def _replace(self) -> list[Operation]:
        return []  # settling fills the place


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
