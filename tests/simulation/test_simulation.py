"""Whatever goes wrong, every experiment ends, and every decision is made once."""

import asyncio

import pytest

from tests.simulation.clock import run_virtually
from tests.simulation.simulate import EXPERIMENTS, simulate
from tests.simulation.world import METRICS, World

SEEDS = 20
SEEDS_THAT_FAILED = (572,)  # an emptied broker lost the closing of a finished trial, and the experiment completed


@pytest.mark.parametrize("seed", [*range(SEEDS), *SEEDS_THAT_FAILED])
def test_every_experiment_ends_and_every_result_is_decided_once(seed: int) -> None:
    run_virtually(simulate(seed))


def test_a_seed_tells_the_same_story_twice() -> None:
    first, second = run_virtually(simulate(3)), run_virtually(simulate(3))
    assert first.told == second.told
    assert first.crashes > 10
    assert first.cuts > 3
    assert first.emptied > 0


@pytest.mark.parametrize("after", [30, 60])
def test_reports_that_only_an_emptied_broker_held_are_stored_all_the_same(after: float) -> None:
    async def go_on() -> None:
        world = World(5, calm=True)

        async def empty() -> None:
            await asyncio.sleep(after)
            await world.empty_broker(3.0, deaf=METRICS, deaf_seconds=25.0)

        emptying = asyncio.create_task(empty())
        await world.run(EXPERIMENTS)
        await emptying
        await world.audit()
        assert world.story.emptied == 1

    run_virtually(go_on())


def test_in_calm_weather_every_trial_has_one_lease_for_each_stretch() -> None:
    story = run_virtually(simulate(1, calm=True))
    assert story.crashes == 0
    assert all(leases == list(range(1, len(leases) + 1)) for leases in story.leases.values())
