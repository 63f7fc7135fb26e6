"""The engine, put away and taken up again at any point, with every method and sampler."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etude.config import ExperimentConfig
from etude.events import TrialContinued, TrialRequested
from etude_searcher.engine import SearchEngine
from tests.unit.make import config
from tests.unit.searcher.methods.test_halving_properties import searchers, with_longest

SPACE = {
    "x": {"type": "double", "minval": 0, "maxval": 1},
    "n": {"type": "int", "minval": 1, "maxval": 9},
    "c": {"type": "categorical", "vals": ["a", "b"]},
    "only_a": {"type": "log", "minval": -3, "maxval": 0, "condition": "c == 'a'"},
}


def drive(made: ExperimentConfig, seed: int, restarts: bool) -> list[Any]:
    """All that an engine tells, perhaps restored from a snapshot now and then."""
    dice, chance = random.Random(seed), random.Random(seed)
    engine = SearchEngine(made, seed)
    engine.deliberate = True
    told: list[Any] = []
    waiting: list[tuple[int, int]] = []

    def hear(events: list[Any]) -> None:
        told.extend(events)
        waiting.extend(
            (e.trial_id, e.train_until.amount) for e in events if isinstance(e, TrialRequested | TrialContinued)
        )

    hear(engine.start())
    while waiting:
        trial, length = waiting.pop(dice.randrange(len(waiting)))
        if restarts and chance.random() < 0.3:
            snapshot = json.loads(json.dumps(engine.snapshot(), allow_nan=False))
            engine = SearchEngine.restore(made, seed, snapshot)
            engine.deliberate = True
            assert engine.snapshot() == snapshot or json.dumps(engine.snapshot()) == json.dumps(snapshot)
        values: Any = engine.trials[trial].hyperparameters
        hear(engine.validation_completed(trial, length, {"loss": values["x"] + 1 / length}, f"uri-{trial}-{length}"))
    return told


@settings(max_examples=60)
@given(searchers(), st.integers(0, 1000))
def test_an_engine_that_is_restored_at_any_point_decides_as_one_that_never_stopped(
    searcher: dict[str, Any], seed: int
) -> None:
    raw = with_longest(searcher)
    made = raw.model_copy(update={"hyperparameters": config(hyperparameters=SPACE).hyperparameters})
    assert drive(made, seed, restarts=True) == drive(made, seed, restarts=False)


@pytest.mark.parametrize("sampler", ["random", "sobol", "tpe", "gp"])
def test_so_does_every_sampler(sampler: str) -> None:
    options = {"startup_trials": 6} if sampler in ("tpe", "gp") else {}
    searcher = {
        "name": "async_halving",
        "num_rungs": 2,
        "max_length": 40,
        "max_trials": 16,
        "max_concurrent_trials": 3,
        "sampler": {"name": sampler, **options},
    }
    made = config(searcher, SPACE)
    assert drive(made, 5, restarts=True) == drive(made, 5, restarts=False)
