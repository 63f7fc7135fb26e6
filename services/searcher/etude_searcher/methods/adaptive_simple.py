"""Adaptive simple: brackets of synchronous halving that share the trials evenly."""

from etude.config import AdaptiveSimpleConfig, SyncHalvingConfig
from etude_searcher.methods.brackets import Brackets, bracket_rungs, rungs_that_fit, shared_evenly
from etude_searcher.methods.method import NewTrial
from etude_searcher.methods.sync_halving import SyncHalving


class AdaptiveSimple(Brackets):
    """A bracket of R rungs down to one of few, each a :class:`SyncHalving` with as many trials.

    R = min(max_rungs, floor(log_d L) + 1, floor(log_d max_trials) + 1).
    """

    def __init__(self, config: AdaptiveSimpleConfig, new_trial: NewTrial, points: int | None = None) -> None:
        trials = config.max_trials if points is None else min(config.max_trials, points)
        d = config.divisor
        most = min(config.max_rungs, rungs_that_fit(config.max_length.amount, d), rungs_that_fit(trials, d))
        rungs = (config.bracket_rungs or bracket_rungs(most, config.mode))[:trials]
        counts = shared_evenly(trials, len(rungs))
        concurrency = shared_evenly(config.max_concurrent_trials, len(rungs))
        super().__init__(
            (
                SyncHalving(
                    SyncHalvingConfig(
                        metric=config.metric,
                        max_length=config.max_length,
                        num_rungs=r,
                        max_trials=count,
                        divisor=d,
                        max_concurrent_trials=max(at_a_time, 1) if config.max_concurrent_trials else 0,
                    ),
                    new_trial,
                ),
                count,
            )
            for r, count, at_a_time in zip(rungs, counts, concurrency, strict=True)
        )
