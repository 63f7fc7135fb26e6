"""Random search (Bergstra and Bengio, JMLR 2012): independent draws, each trained to the end."""

from etude.config import RandomConfig
from etude_searcher.methods.independent import IndependentTrials
from etude_searcher.methods.method import NewTrial


class RandomSearch(IndependentTrials):
    """``max_trials`` trials of ``max_length``."""

    def __init__(self, config: RandomConfig, new_trial: NewTrial, points: int | None = None) -> None:
        trials = config.max_trials if points is None else min(config.max_trials, points)
        super().__init__(config.max_length.amount, trials, config.max_concurrent_trials, new_trial)
