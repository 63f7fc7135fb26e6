"""Other libraries' training loops follow the search: each of them in the same way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etude.core.errors import CoreError
from etude.core.run import Run
from etude.events import CheckpointReference
from tests.unit.etude.adapters import subjects
from tests.unit.etude.adapters.subjects import BATCHES, Train
from tests.unit.etude.core.recording import RecordingLink, assignment, extend

METRICS = {"lightning": "loss", "transformers": "eval_loss", "keras": "val_loss"}
UNITS = pytest.mark.parametrize("unit", ["batches", "epochs"])


class Stage:
    """Trains a new model of one library in one run after another, all with the same storage."""

    def __init__(self, library: str, folder: Path) -> None:
        self.train: Train = getattr(subjects, library)
        self.metric = METRICS[library]
        self._folder = folder
        self._runs = 0
        self.link = RecordingLink()

    def run(
        self,
        until: dict[str, int],
        *orders: Any,
        checkpoint: CheckpointReference | None = None,
        tick: Callable[[], None] = lambda: None,
        **config: Any,
    ) -> np.ndarray:
        """The weights in the end; what was said is in ``link``."""
        self._runs += 1
        self.link = RecordingLink(*orders, folder=self._folder / "storage")
        searcher = {"metric": self.metric, "max_length": {next(iter(until)): 8}, "name": "single"}
        told = assignment(
            self._folder / "storage", until, checkpoint, lease_number=self._runs, searcher=searcher, **config
        )
        with Run(told, self.link) as run:
            return self.train(run, self._folder / f"run-{self._runs}", tick)

    def validations(self) -> list[int]:
        """At which lengths validations were reported."""
        return [next(iter(told["length"].values())) for told in self.link.told("validation")]

    def latest(self) -> CheckpointReference:
        """The checkpoint that was saved last."""
        return self.link.saved()[-1]


@pytest.fixture(params=["lightning", "transformers", "keras"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    return Stage(request.param, tmp_path)


@UNITS
def test_it_trains_from_target_to_target(stage: Stage, unit: str) -> None:
    stage.run({unit: 2}, extend(3, unit), extend(6, unit))
    assert stage.validations() == [2, 3, 6]
    told = stage.link.told("validation")
    losses = [validation["metrics"][stage.metric] for validation in told]
    assert losses[2] < losses[0]
    assert [validation["checkpoint"]["reached"] for validation in told] == [2, 3, 6]
    assert stage.link.told("training")


@UNITS
def test_one_that_goes_on_elsewhere_ends_where_an_undisturbed_one_does(stage: Stage, unit: str) -> None:
    whole = stage.run({unit: 4}, extend(8, unit))
    stage.run({unit: 4})
    resumed = stage.run({unit: 8}, checkpoint=stage.latest())
    assert stage.validations() == [8]
    assert np.allclose(whole, resumed, atol=1e-6)


@UNITS
def test_it_saves_and_ends_when_the_slots_are_wanted_back(stage: Stage, unit: str) -> None:
    seen = 0

    def tick() -> None:
        nonlocal seen
        seen += 1
        if seen == BATCHES + 2:
            stage.link.heard({"do": "stop"})

    stage.run({unit: 8 if unit == "batches" else 4}, tick=tick)
    assert stage.validations() == []
    assert seen == BATCHES + 2
    assert stage.latest().length == (BATCHES + 2 if unit == "batches" else 1)
    stage.run({unit: 8}, checkpoint=stage.latest())
    assert stage.validations() == [8]


def test_a_validation_that_was_lost_is_made_up_for_before_anything_is_trained(stage: Stage) -> None:
    weights = stage.run({"epochs": 2})
    checkpoint, told = stage.latest(), stage.link.told("validation")
    again = stage.run({"epochs": 2}, checkpoint=checkpoint)
    assert stage.validations() == [2]
    assert stage.link.told("validation")[0]["metrics"][stage.metric] == pytest.approx(told[0]["metrics"][stage.metric])
    assert stage.link.told("checkpoint") == []
    assert weights.shape == again.shape


def test_a_trial_that_takes_over_anothers_state_counts_from_nothing(stage: Stage) -> None:
    before = stage.run({"epochs": 3})
    other = CheckpointReference(uri=stage.latest().uri, length=0, foreign=True)
    after = stage.run({"epochs": 1}, extend(2, "epochs"), checkpoint=other)
    assert stage.validations() == [1, 2]
    assert not np.allclose(before, after)
    resumed = stage.run({"epochs": 3}, checkpoint=stage.latest())
    assert stage.validations() == [3]
    assert not np.allclose(after, resumed)


def test_validations_on_the_way_are_reported_and_the_best_are_saved(stage: Stage) -> None:
    stage.run({"batches": 8}, min_validation_period={"batches": 3})
    assert stage.validations() == [3, 6, 8]
    saved = [next(iter(told["length"].values())) for told in stage.link.told("checkpoint")]
    assert saved[0] == 3
    assert saved[-1] == 8


def test_a_metric_that_validation_does_not_give_is_a_mistake_with_a_way_out(stage: Stage) -> None:
    wanted, stage.metric = stage.metric, "accuracy"
    with pytest.raises(CoreError, match=f"searcher.metric is 'accuracy', and validation gives only: .*{wanted}"):
        stage.run({"batches": 1})


def test_lengths_in_a_unit_that_is_not_counted_are_refused(stage: Stage) -> None:
    with pytest.raises(CoreError, match="lengths in records are not counted here"):
        stage.run({"records": 100})
