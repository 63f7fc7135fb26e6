"""Hyperband (Li et al., JMLR 2018, Algorithm 1): every trade-off between many short and few long trials."""

import math

from etude.config import HyperbandConfig, SyncHalvingConfig
from etude_searcher.methods.brackets import Brackets, rungs_that_fit, shared_evenly
from etude_searcher.methods.method import NewTrial
from etude_searcher.methods.operation import Operation
from etude_searcher.methods.sync_halving import SyncHalving


class Hyperband(Brackets):
    """Brackets s = s_max .. 0 with s_max = floor(log_d L), each a :class:`SyncHalving` of s + 1 rungs.

    Bracket s begins with n = ceil((s_max + 1) / (s + 1) * d^s) trials, and keeps floor(n / d^k) of them in rung k. All
    brackets run side by side.
    """

    def __init__(self, config: HyperbandConfig, new_trial: NewTrial, points: int | None = None) -> None:
        configs = _configs(config)
        super().__init__(
            ((SyncHalving(bracket, new_trial, points), bracket.max_trials or 1) for bracket in configs),
            config.max_concurrent_trials,
        )

    def change(self, config: HyperbandConfig) -> list[Operation]:
        """More or fewer at a time."""
        return self.change_each(_configs(config), config.max_concurrent_trials)


def _configs(config: HyperbandConfig) -> list[SyncHalvingConfig]:
    d = config.divisor
    brackets = rungs_that_fit(config.max_length.amount, d)
    concurrency = shared_evenly(config.max_concurrent_trials, brackets)
    return [
        SyncHalvingConfig(
            metric=config.metric,
            max_length=config.max_length,
            num_rungs=rungs,
            max_trials=math.ceil(brackets / rungs * d ** (rungs - 1)),
            divisor=d,
            max_concurrent_trials=max(at_a_time, 1) if config.max_concurrent_trials else 0,
        )
        for rungs, at_a_time in zip(range(brackets, 0, -1), concurrency, strict=True)
    ]
