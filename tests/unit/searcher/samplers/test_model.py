"""Samplers that fit a model: they learn, they prepare ahead, and they fall back to chance."""

from typing import Any

import numpy as np
import pytest

from etude.config import Space
from etude_searcher.plugins import SAMPLERS, plugin
from etude_searcher.samplers.model import ModelSampler

SPACE = Space.model_validate(
    {
        "x": {"type": "double", "minval": 0, "maxval": 1},
        "n": {"type": "int", "minval": 1, "maxval": 9},
        "c": {"type": "categorical", "vals": ["good", "bad", "ugly"]},
        "fixed": 3,
    }
)
MODELS = pytest.mark.parametrize("name", ["tpe", "gp"])


def sampler(name: str, **options: Any) -> ModelSampler:
    made: ModelSampler = plugin(SAMPLERS, name)(SPACE, None, options, 1)
    return made


def loss(values: dict[str, Any]) -> float:
    return abs(values["x"] - 0.7) + abs(values["n"] - 7) / 10 + {"good": 0, "bad": 1, "ugly": 2}[values["c"]]


def taught(made: ModelSampler, results: int, length: int = 1) -> None:
    for index in range(1, results + 1):
        values = made.draw(index, np.random.default_rng(index))
        made.observe(index, values, length, loss(values))


@MODELS
def test_what_is_drawn_after_learning_is_better_than_chance(name: str) -> None:
    made = sampler(name, random_fraction=0)
    taught(made, 40)
    before = made.unprepared
    learned = []
    for index in range(100, 108):
        made.prepare()
        values = made.draw(index, np.random.default_rng(index))
        made.observe(index, values, 1, loss(values))
        learned.append(loss(values))
    chance = [loss(made.draw(n, np.random.default_rng(n), attempt=1)) for n in range(500, 600)]
    assert np.median(learned) < np.quantile(chance, 0.2)
    assert made.unprepared == before


@MODELS
def test_a_draw_for_which_nothing_is_prepared_is_made_at_random_and_counted(name: str) -> None:
    made = sampler(name, random_fraction=0)
    taught(made, 30)
    before = made.unprepared
    assert made.draw(31, np.random.default_rng(31))["fixed"] == 3
    assert made.unprepared == before + 1


@MODELS
def test_nothing_is_prepared_before_there_is_enough_to_learn_from(name: str) -> None:
    made = sampler(name, startup_trials=50)
    taught(made, 30)
    made.prepare()
    assert made._ready is None
    assert made.unprepared == 0


def test_it_learns_from_the_longest_length_with_enough_results() -> None:
    made = sampler("tpe", startup_trials=5)
    taught(made, 12, length=1)
    for index in range(1, 5):
        made.observe(index, made.draw(index, np.random.default_rng(index)), 4, 0.5)
    assert len(made._training_set()) == 12
    made.observe(5, made.draw(5, np.random.default_rng(5)), 4, 0.5)
    assert [metric for _, metric in made._training_set()] == [0.5] * 5


def test_the_same_results_and_seed_lead_to_the_same_draw() -> None:
    drawn = []
    for _ in range(2):
        made = sampler("tpe", random_fraction=0)
        taught(made, 30)
        made.prepare()
        drawn.append(made.draw(31, np.random.default_rng(31)))
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"startup_trials": 0}, "startup_trials must be a number between 1 and 10000; got 0"),
        ({"random_fraction": "half"}, "random_fraction must be a number between 0 and 1; got 'half'"),
        ({"colour": 1}, "searcher.sampler has no option 'colour' here; there are: random_fraction, startup_trials"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sampler("tpe", **options)
