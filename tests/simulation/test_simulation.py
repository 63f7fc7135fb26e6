"""Whatever goes wrong, every experiment ends, and every decision is made once."""

from typing import Any

import pytest

from tests.simulation.clock import run_virtually
from tests.simulation.world import Story, World

SEEDS = 200
SPACE = {"rate": {"type": "log", "minval": -4, "maxval": 0}}


def config(searcher: dict[str, Any], max_restarts: int = 3) -> dict[str, Any]:
    common = {"metric": "loss", "max_length": {"batches": 400}}
    return {
        "entrypoint": "model:Trial",
        "hyperparameters": SPACE,
        "max_restarts": max_restarts,
        "searcher": {**common, **searcher},
    }


EXPERIMENTS = {
    "halving": config({"name": "async_halving", "num_rungs": 3, "max_trials": 12, "max_concurrent_trials": 8}),
    "random": config({"name": "random", "max_trials": 6, "max_concurrent_trials": 4}, max_restarts=0),
    "doomed": config({"name": "random", "max_trials": 50, "max_concurrent_trials": 3}),
}


async def simulate(seed: int, calm: bool = False) -> Story:
    world = World(seed, calm)
    await world.run(EXPERIMENTS)
    await world.audit()
    return world.story


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_experiment_ends_and_every_result_is_decided_once(seed: int) -> None:
    run_virtually(simulate(seed))


def test_a_seed_tells_the_same_story_twice() -> None:
    first, second = run_virtually(simulate(3)), run_virtually(simulate(3))
    assert first.told == second.told
    assert first.crashes > 10


def test_in_calm_weather_every_trial_has_one_lease_for_each_stretch() -> None:
    story = run_virtually(simulate(1, calm=True))
    assert story.crashes == 0
    assert all(leases == list(range(1, len(leases) + 1)) for leases in story.leases.values())
