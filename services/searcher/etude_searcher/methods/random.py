"""Random search (Bergstra and Bengio, JMLR 2012): independent draws, each trained to the end."""

from etude.config import RandomConfig
from etude.events import ExitReason
from etude_searcher.methods.independent import IndependentTrials
from etude_searcher.methods.method import NewTrial
from etude_searcher.methods.operation import Operation


class RandomSearch(IndependentTrials):
    """``max_trials`` trials of ``max_length``."""

    def __init__(self, config: RandomConfig, new_trial: NewTrial, points: int | None = None) -> None:
        trials = config.max_trials if points is None else min(config.max_trials, points)
        super().__init__(config.max_length.amount, trials, config.max_concurrent_trials, new_trial)

    def trial_exited(self, trial_id: int, reason: ExitReason) -> list[Operation]:
        if reason is ExitReason.INVALID_HYPERPARAMETERS:  # it is replaced
            self._created -= 1
        return super().trial_exited(trial_id, reason)
