"""Adaptive ASHA: brackets of asynchronous halving, from many short trials to few long ones."""

import math

from etude.config import AdaptiveAshaConfig, AsyncHalvingConfig
from etude_searcher.methods.async_halving import AsyncHalving
from etude_searcher.methods.brackets import Brackets, bracket_rungs, rungs_that_fit, shared_by_weight
from etude_searcher.methods.method import NewTrial, UnchangeableError
from etude_searcher.methods.operation import Operation


class AdaptiveAsha(Brackets):
    """A bracket of R rungs down to one of few, each an :class:`AsyncHalving`.

    R = min(max_rungs, floor(log_d L) + 1, floor(log_d max_trials) + 1). A bracket of r rungs gets trials in proportion
    to d^(r-1) / r, so that each costs about the same (Li et al., "A System for Massively Parallel Hyperparameter
    Tuning", MLSys 2020; the shares are Determined's). Concurrency is shared as trials are: shared evenly, as Determined
    does, half of all workers would train the few long trials of the last bracket (bench/search_quality.py).
    """

    def __init__(self, config: AdaptiveAshaConfig, new_trial: NewTrial, points: int | None = None) -> None:
        trials = config.max_trials if points is None else min(config.max_trials, points)
        d, length = config.divisor, config.max_length.amount
        most = min(config.max_rungs, rungs_that_fit(length, d), rungs_that_fit(trials, d))
        self._points = points
        self.rungs = (config.bracket_rungs or bracket_rungs(most, config.mode))[:trials]
        configs = self._configs(config, [1] * len(self.rungs))
        super().__init__(
            ((AsyncHalving(bracket, new_trial), bracket.max_trials) for bracket in configs),
            config.max_concurrent_trials,
        )

    def change(self, config: AdaptiveAshaConfig) -> list[Operation]:
        """The brackets stay as they are, and share what is new as they shared what was there."""
        begun = [max(bracket.created, 1) for bracket in self.brackets if isinstance(bracket, AsyncHalving)]
        if sum(begun) > config.max_trials:
            raise UnchangeableError(f"{sum(begun)} trials have been begun; max_trials can only grow")
        return self.change_each(self._configs(config, begun), config.max_concurrent_trials)

    def _configs(self, config: AdaptiveAshaConfig, at_least: list[int]) -> list[AsyncHalvingConfig]:
        trials = config.max_trials if self._points is None else min(config.max_trials, self._points)
        d = config.divisor
        counts = shared_by_weight(trials, [d ** (r - 1) / r for r in self.rungs], at_least)
        if config.max_concurrent_trials:
            concurrency = shared_by_weight(config.max_concurrent_trials, counts)
        else:
            concurrency = [max(counts[-1], math.floor(d))] * len(self.rungs)
        return [
            AsyncHalvingConfig(
                metric=config.metric,
                max_length=config.max_length,
                num_rungs=r,
                max_trials=count,
                divisor=d,
                stop_once=config.stop_once,
                max_concurrent_trials=at_a_time,
            )
            for r, count, at_a_time in zip(self.rungs, counts, concurrency, strict=True)
        ]
