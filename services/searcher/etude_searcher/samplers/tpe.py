"""TPE sampling: the tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011; Optuna's, multivariate)."""

import warnings
from collections.abc import Sequence

import optuna

from etude.config import Parameter
from etude_searcher.samplers.model import ModelSampler, Point
from etude_searcher.samplers.optuna_study import distributions, point_of, study_of


class TpeSampler(ModelSampler):
    """Draws where good results are dense and bad ones are not."""

    def propose(
        self, parameters: Sequence[Parameter], points: Sequence[Point], metrics: Sequence[float], seed: int
    ) -> Point:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=0)
        study = study_of(sampler, parameters, points, metrics)
        return point_of(study.ask(distributions(parameters)).params, parameters)
