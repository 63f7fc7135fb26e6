"""Adaptive: brackets of synchronous halving that share a budget of training evenly."""

from etude.config import AdaptiveConfig, SyncHalvingConfig
from etude.events import Length
from etude_searcher.methods.brackets import Brackets, bracket_rungs, rungs_that_fit, shared_evenly
from etude_searcher.methods.method import NewTrial
from etude_searcher.methods.sync_halving import SyncHalving


class Adaptive(Brackets):
    """A bracket of R = min(max_rungs, floor(log_d L) + 1) rungs down to one of few, each a :class:`SyncHalving`."""

    def __init__(self, config: AdaptiveConfig, new_trial: NewTrial, points: int | None = None) -> None:
        d, unit = config.divisor, config.max_length.unit
        most = min(config.max_rungs, rungs_that_fit(config.max_length.amount, d))
        rungs = config.bracket_rungs or bracket_rungs(most, config.mode)
        budgets = shared_evenly(config.budget.amount, len(rungs))
        concurrency = shared_evenly(config.max_concurrent_trials, len(rungs))
        super().__init__(
            (
                SyncHalving(
                    SyncHalvingConfig(
                        metric=config.metric,
                        max_length=config.max_length,
                        num_rungs=r,
                        budget=Length(unit=unit, amount=max(budget, 1)),
                        divisor=d,
                        max_concurrent_trials=max(at_a_time, 1) if config.max_concurrent_trials else 0,
                    ),
                    new_trial,
                    points,
                ),
                max(budget, 1),
            )
            for r, budget, at_a_time in zip(rungs, budgets, concurrency, strict=True)
        )
