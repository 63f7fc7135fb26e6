"""Adaptive: brackets of synchronous halving that share a budget of training evenly."""

from etude.config import AdaptiveConfig, SyncHalvingConfig
from etude.events import Length
from etude_searcher.methods.brackets import Brackets, bracket_rungs, rungs_that_fit, shared_evenly
from etude_searcher.methods.method import NewTrial
from etude_searcher.methods.operation import Operation
from etude_searcher.methods.sync_halving import SyncHalving


class Adaptive(Brackets):
    """A bracket of R = min(max_rungs, floor(log_d L) + 1) rungs down to one of few, each a :class:`SyncHalving`."""

    def __init__(self, config: AdaptiveConfig, new_trial: NewTrial, points: int | None = None) -> None:
        most = min(config.max_rungs, rungs_that_fit(config.max_length.amount, config.divisor))
        self.rungs = config.bracket_rungs or bracket_rungs(most, config.mode)
        super().__init__(
            ((SyncHalving(bracket, new_trial, points), 1) for bracket in self._configs(config)),
            config.max_concurrent_trials,
        )

    def change(self, config: AdaptiveConfig) -> list[Operation]:
        """More or fewer at a time, and a longer end."""
        return self.change_each(self._configs(config), config.max_concurrent_trials)

    def _configs(self, config: AdaptiveConfig) -> list[SyncHalvingConfig]:
        budgets = shared_evenly(config.budget.amount, len(self.rungs))
        concurrency = shared_evenly(config.max_concurrent_trials, len(self.rungs))
        return [
            SyncHalvingConfig(
                metric=config.metric,
                max_length=config.max_length,
                num_rungs=r,
                budget=Length(unit=config.max_length.unit, amount=max(budget, 1)),
                divisor=config.divisor,
                max_concurrent_trials=max(at_a_time, 1) if config.max_concurrent_trials else 0,
            )
            for r, budget, at_a_time in zip(self.rungs, budgets, concurrency, strict=True)
        ]
