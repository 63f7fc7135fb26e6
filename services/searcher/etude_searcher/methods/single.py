"""Single: one trial, trained to the end."""

from etude.config import SingleConfig
from etude_searcher.methods.independent import IndependentTrials
from etude_searcher.methods.method import NewTrial


class SingleSearch(IndependentTrials):
    """One trial of ``max_length``."""

    def __init__(self, config: SingleConfig, new_trial: NewTrial, points: int | None = None) -> None:
        super().__init__(config.max_length.amount, 1, 1, new_trial)
