"""Results as an Optuna study, for Optuna's samplers to learn from: asked once, and thrown away."""

from collections.abc import Mapping, Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from etude.config import Categorical, Parameter
from etude_searcher.samplers.model import Point

_LARGEST = 1e30

optuna.logging.set_verbosity(optuna.logging.ERROR)


def distributions(parameters: Sequence[Parameter]) -> dict[str, BaseDistribution]:
    """A unit interval for each number, and a choice by index for each category."""
    return {
        str(n): CategoricalDistribution(range(len(p.vals))) if isinstance(p, Categorical) else FloatDistribution(0, 1)
        for n, p in enumerate(parameters)
    }


def study_of(
    sampler: optuna.samplers.BaseSampler,
    parameters: Sequence[Parameter],
    points: Sequence[Point],
    metrics: Sequence[float],
) -> optuna.Study:
    """A study that holds results."""
    study = optuna.create_study(sampler=sampler)
    space = distributions(parameters)
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={
                    str(n): _index(p, place) if isinstance(p, Categorical) else place
                    for n, (p, place) in enumerate(zip(parameters, point, strict=True))
                },
                distributions=space,
                value=min(max(metric, -_LARGEST), _LARGEST),
            )
            for point, metric in zip(points, metrics, strict=True)
        ]
    )
    return study


def point_of(params: Mapping[str, float], parameters: Sequence[Parameter]) -> Point:
    """What a sampler proposed, as a place in the unit cube."""
    return [
        (params[str(n)] + 0.5) / len(p.vals) if isinstance(p, Categorical) else params[str(n)]
        for n, p in enumerate(parameters)
    ]


def _index(parameter: Categorical, place: float) -> int:
    return min(int(place * len(parameter.vals)), len(parameter.vals) - 1)
