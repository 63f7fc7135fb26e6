"""GP sampling: expected improvement of a Gaussian process (Jones et al., 1998; Optuna's GPSampler, on torch)."""

import warnings
from collections.abc import Sequence

import optuna

from etude.config import Parameter
from etude_searcher.samplers.model import ModelSampler, Point
from etude_searcher.samplers.optuna_study import distributions, point_of, study_of

_MOST = 200


class GpSampler(ModelSampler):
    """Draws where a Gaussian process expects the most improvement.

    A fit takes time that grows with the cube of the number of results, so of more than 200 the best half of them and
    the latest are used.
    """

    def propose(
        self, parameters: Sequence[Parameter], points: Sequence[Point], metrics: Sequence[float], seed: int
    ) -> Point:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.GPSampler(seed=seed, n_startup_trials=0)
        chosen = _chosen(metrics)
        study = study_of(sampler, parameters, [points[n] for n in chosen], [metrics[n] for n in chosen])
        return point_of(study.ask(distributions(parameters)).params, parameters)


def _chosen(metrics: Sequence[float]) -> list[int]:
    if len(metrics) <= _MOST:
        return list(range(len(metrics)))
    best = sorted(range(len(metrics)), key=lambda n: metrics[n])[: _MOST // 2]
    latest = [n for n in reversed(range(len(metrics))) if n not in set(best)][: _MOST // 2]
    return sorted([*best, *latest])
