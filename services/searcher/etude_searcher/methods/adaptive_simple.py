"""Adaptive simple: brackets of synchronous halving that share the trials evenly."""

from etude.config import AdaptiveSimpleConfig, SyncHalvingConfig
from etude_searcher.methods.brackets import Brackets, bracket_rungs, rungs_that_fit, shared_evenly
from etude_searcher.methods.method import NewTrial
from etude_searcher.methods.operation import Operation
from etude_searcher.methods.sync_halving import SyncHalving


class AdaptiveSimple(Brackets):
    """A bracket of R rungs down to one of few, each a :class:`SyncHalving` with as many trials.

    R = min(max_rungs, floor(log_d L) + 1, floor(log_d max_trials) + 1).
    """

    def __init__(self, config: AdaptiveSimpleConfig, new_trial: NewTrial, points: int | None = None) -> None:
        self._points = points
        trials = self._trials(config)
        d, length = config.divisor, config.max_length.amount
        most = min(config.max_rungs, rungs_that_fit(length, d), rungs_that_fit(trials, d))
        self.rungs = (config.bracket_rungs or bracket_rungs(most, config.mode))[:trials]
        configs = self._configs(config)
        super().__init__(
            ((SyncHalving(bracket, new_trial), bracket.max_trials or 1) for bracket in configs),
            config.max_concurrent_trials,
        )

    def change(self, config: AdaptiveSimpleConfig) -> list[Operation]:
        """The brackets stay as they are, and share evenly what is new."""
        return self.change_each(self._configs(config), config.max_concurrent_trials)

    def _trials(self, config: AdaptiveSimpleConfig) -> int:
        return config.max_trials if self._points is None else min(config.max_trials, self._points)

    def _configs(self, config: AdaptiveSimpleConfig) -> list[SyncHalvingConfig]:
        counts = shared_evenly(self._trials(config), len(self.rungs))
        concurrency = shared_evenly(config.max_concurrent_trials, len(self.rungs))
        return [
            SyncHalvingConfig(
                metric=config.metric,
                max_length=config.max_length,
                num_rungs=r,
                max_trials=count,
                divisor=config.divisor,
                max_concurrent_trials=max(at_a_time, 1) if config.max_concurrent_trials else 0,
            )
            for r, count, at_a_time in zip(self.rungs, counts, concurrency, strict=True)
        ]
