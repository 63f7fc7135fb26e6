"""Whatever goes wrong, every experiment ends, and every decision is made once."""

import pytest

from tests.simulation.clock import run_virtually
from tests.simulation.simulate import simulate

SEEDS = 30


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_experiment_ends_and_every_result_is_decided_once(seed: int) -> None:
    run_virtually(simulate(seed))


def test_a_seed_tells_the_same_story_twice() -> None:
    first, second = run_virtually(simulate(3)), run_virtually(simulate(3))
    assert first.told == second.told
    assert first.crashes > 10
    assert first.cuts > 3


def test_in_calm_weather_every_trial_has_one_lease_for_each_stretch() -> None:
    story = run_virtually(simulate(1, calm=True))
    assert story.crashes == 0
    assert all(leases == list(range(1, len(leases) + 1)) for leases in story.leases.values())
