"""Simulated searches: virtual time, workers, failures."""

from typing import Any

import pytest

from etude.core import InvalidHyperparameters
from etude_searcher.simulate import Simulation, simulate
from tests.unit.make import config

UNIFORM = {"x": {"type": "double", "minval": 0, "maxval": 1}}


def objective(values: Any, length: int) -> tuple[dict[str, float], float]:
    return {"loss": values["x"] + 1 / length}, 10.0 * length


def test_workers_share_the_work() -> None:
    made = config({"name": "random", "max_trials": 8, "max_length": 10}, UNIFORM)
    assert [simulate(made, objective, workers).seconds for workers in (1, 2, 8)] == [800.0, 400.0, 100.0]


def test_a_promoted_trial_trains_on_from_where_it_was() -> None:
    made = config({"name": "async_halving", "max_trials": 16, "num_rungs": 3, "max_length": 160}, UNIFORM)
    outcome = simulate(made, objective, workers=1)
    assert outcome.seconds == 10.0 * outcome.total_length
    assert outcome.best is not None
    assert outcome.best.length == 160
    assert all(targets in ([10], [10, 40], [10, 40, 160]) for targets in outcome.targets.values())


def test_the_same_seed_gives_the_same_search() -> None:
    made = config({"name": "adaptive_asha", "max_trials": 50, "max_length": 160}, UNIFORM)
    assert simulate(made, objective, 4, seed=3).results == simulate(made, objective, 4, seed=3).results
    assert simulate(made, objective, 4, seed=3).results != simulate(made, objective, 4, seed=4).results


def test_failing_and_invalid_trials_end_and_the_search_goes_on() -> None:
    def moody(values: Any, length: int) -> tuple[dict[str, float], float]:
        if values["x"] < 0.3:
            raise InvalidHyperparameters("too small")
        if values["x"] > 0.8:
            raise RuntimeError("too large")
        return objective(values, length)

    made = config({"name": "async_halving", "max_trials": 30, "num_rungs": 2, "max_length": 40}, UNIFORM)
    simulation = Simulation(made, moody, workers=3)
    outcome = simulation.run()
    assert simulation.engine.finished
    assert outcome.failure is None
    assert {0.3 <= simulation.engine.trials[r.trial_id].hyperparameters["x"] <= 0.8 for r in outcome.results} == {True}


def test_it_stops_when_enough_is_known() -> None:
    made = config({"name": "random", "max_trials": 1000, "max_length": 10}, UNIFORM)
    outcome = Simulation(made, objective, workers=4).run(until=lambda o: o.total_length >= 100)
    assert outcome.total_length == 100


@pytest.mark.parametrize("name", ["adaptive_asha", "hyperband", "pbt", "median_stopping", "adaptive_simple"])
def test_every_method_finds_something_good(name: str) -> None:
    fields: dict[str, Any] = {
        "adaptive_asha": {"max_trials": 60},
        "adaptive_simple": {"max_trials": 60},
        "median_stopping": {"max_trials": 40},
        "hyperband": {},
        "pbt": {"population_size": 10, "length_per_round": 40, "num_rounds": 4},
    }[name]
    length = {} if name == "pbt" else {"max_length": 160}
    made = with_name(name, {**fields, **length})
    outcome = simulate(made, objective, workers=4)
    assert outcome.best is not None
    assert outcome.best.value < 0.2


def with_name(name: str, fields: dict[str, Any]) -> Any:
    from etude.config import parse
    from tests.unit.make import raw_config

    raw = raw_config(hyperparameters=UNIFORM)
    return parse({**raw, "searcher": {"name": name, "metric": "loss", **fields}})
