"""Single, random and grid search: independent trials, some at a time."""

import itertools
from typing import Any

import pytest

from etude.config import GridConfig, RandomConfig, SingleConfig
from etude.events import ExitReason
from etude_searcher.methods import Close, Create, SearchMethod
from etude_searcher.methods.grid import GridSearch
from etude_searcher.methods.random import RandomSearch
from etude_searcher.methods.single import SingleSearch


def random_search(points: int | None = None, **fields: Any) -> SearchMethod:
    numbers = itertools.count(1)
    config = {"name": "random", "metric": "loss", "max_length": 100, "max_trials": 3, **fields}
    return RandomSearch(RandomConfig.model_validate(config), lambda: next(numbers), points)


def test_a_result_closes_its_trial_and_makes_room_for_the_next() -> None:
    method = random_search(max_concurrent_trials=2)
    assert method.start() == [Create(1, 100), Create(2, 100)]
    assert method.validation_completed(2, 100, 0.5) == [Close(2), Create(3, 100)]
    assert method.validation_completed(1, 100, 0.5) == [Close(1)]
    assert method.progress() == pytest.approx(2 / 3)


def test_zero_at_a_time_means_all() -> None:
    assert len(random_search(max_concurrent_trials=0).start()) == 3


def test_a_trial_with_invalid_hyperparameters_is_replaced() -> None:
    method = random_search(max_concurrent_trials=1)
    method.start()
    for trial in (1, 2, 3):
        assert method.trial_exited(trial, ExitReason.INVALID_HYPERPARAMETERS) == [Create(trial + 1, 100)]
    assert method.progress() == 0


@pytest.mark.parametrize("reason", [r for r in ExitReason if r is not ExitReason.INVALID_HYPERPARAMETERS])
def test_an_exited_trial_counts_as_one_of_them(reason: ExitReason) -> None:
    method = random_search(max_concurrent_trials=1)
    method.start()
    assert method.trial_exited(1, reason) == [Create(2, 100)]


def test_a_sampler_with_fewer_points_than_trials_ends_the_search_early() -> None:
    assert len(random_search(points=2, max_concurrent_trials=0).start()) == 2


def test_single_is_one_trial() -> None:
    config = SingleConfig.model_validate({"name": "single", "metric": "loss", "max_length": 7})
    method = SingleSearch(config, lambda: 1)
    assert method.start() == [Create(1, 7)]
    assert method.validation_completed(1, 7, 0.0) == [Close(1)]
    assert method.progress() == 1.0


def test_grid_has_a_trial_for_each_point() -> None:
    config = GridConfig.model_validate({"name": "grid", "metric": "loss", "max_length": 7})
    numbers = itertools.count(1)
    assert len(GridSearch(config, lambda: next(numbers), 5).start()) == 5


def test_grid_refuses_a_sampler_without_end() -> None:
    config = GridConfig.model_validate(
        {"name": "grid", "metric": "loss", "max_length": 7, "sampler": {"name": "random"}}
    )
    with pytest.raises(ValueError, match="known number of points, and 'random' has none"):
        GridSearch(config, lambda: 1, None)


def test_a_snapshot_restores() -> None:
    first = random_search(max_concurrent_trials=1)
    first.start()
    first.validation_completed(1, 100, 0.0)
    second = random_search(max_concurrent_trials=1)
    second.restore(first.snapshot())
    assert second.validation_completed(2, 100, 0.0)[0] == Close(2)
    assert second.snapshot()["created"] == 3
