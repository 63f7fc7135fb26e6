"""Grid search: one trial for each point of the grid."""

from etude.config import GridConfig
from etude_searcher.methods.independent import IndependentTrials
from etude_searcher.methods.method import NewTrial


class GridSearch(IndependentTrials):
    """As many trials of ``max_length`` as the sampler has points.

    Raises
    ------
    ValueError
        The sampler has no end.
    """

    def __init__(self, config: GridConfig, new_trial: NewTrial, points: int | None = None) -> None:
        if points is None:
            raise ValueError(
                f"a grid search needs a sampler with a known number of points, and {config.sampler_name!r} has none; "
                "leave searcher.sampler out, or use the random searcher"
            )
        super().__init__(config.max_length.amount, points, config.max_concurrent_trials, new_trial)
