"""The measure: regret over training spent, the same for etude and for its peers."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from tasks import Task

POINTS = (1, 2, 4, 8, 16, 30)
"""Full trainings spent, at which regret is read."""
WORKERS = 8
SEEDS = 5


def regrets(task: Task, stretches: Iterable[tuple[float, Mapping[str, Any], int, int]]) -> list[float]:
    """Regrets at all points: (best loss seen - best known) / (median of random full trainings - best known), at most 1.

    Parameters
    ----------
    stretches : each as (virtual time at which it began, hyperparameters, epochs before, epochs after); every epoch
        counts as seen when it was trained
    """
    epochs: list[tuple[float, float]] = []
    for began, values, before, after in stretches:
        losses, seconds = task.curve(values)
        start = seconds[before - 1] if before else 0.0
        epochs += [(began + seconds[n] - start, float(losses[n])) for n in range(before, after)]
    best = np.minimum.accumulate([loss for _, loss in sorted(epochs)])
    return [min(task.regret(float(best[min(point * task.longest, len(best)) - 1])), 1.0) for point in POINTS]


def row(name: str, found: Sequence[Sequence[float]], seconds: float | None = None) -> str:
    """A line of the table: means over tasks and seeds, and their mean."""
    means = [statistics.fmean(values) for values in zip(*found, strict=True)]
    text = f"{name:<34}" + "".join(f"{mean:8.3f}" for mean in means) + f"{statistics.fmean(means):9.3f}"
    return text if seconds is None else f"{text}{seconds:9.1f}"


def heading() -> str:
    """The first line of the table."""
    return f"{'search':<34}" + "".join(f"{point:>8}" for point in POINTS) + f"{'anytime':>9}{'seconds':>9}"
