"""The training loop: targets, periods, checkpoints, and resuming as if nothing had happened."""

from pathlib import Path
from typing import Any

import pytest
import torch

from etude.core import CoreError
from etude.core.link import Message
from etude.events import CheckpointReference
from etude.trial.pytorch import StepMode
from etude.trial.pytorch.controller import PyTorchController
from tests.unit.etude.core.recording import RecordingLink, extend, run
from tests.unit.etude.trial.pytorch.models import (
    NoisyTrial,
    OwnGeneratorTrial,
    StreamTrial,
    WorkersTrial,
)


def train(
    folder: Path, *orders: Message, trial: type[NoisyTrial] = NoisyTrial, **fields: Any
) -> tuple[dict[str, torch.Tensor], RecordingLink]:
    """Carry a run out; returns the weights at its end, and what was said."""
    trial.seen.clear()
    made, link = run(folder, *orders, **fields)
    controller = PyTorchController(trial, made)
    controller.run()
    return {name: value.clone() for name, value in controller._context.models[0].state_dict().items()}, link


def latest(link: RecordingLink) -> CheckpointReference:
    """The last checkpoint that was told."""
    return link.saved()[-1]


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Bit for bit."""
    return all(torch.equal(first[name], second[name]) for name in first)


def test_it_trains_validates_saves_and_reports_at_every_target(tmp_path: Path) -> None:
    _, link = train(tmp_path, extend(25), until=10)
    assert [m["say"] for m in link.said if m["say"] != "training"] == [
        *("checkpoint", "validation", "waiting"),
        *("checkpoint", "validation", "waiting"),
    ]
    first, second = link.told("validation")
    assert (first["length"], second["length"]) == ({"batches": 10}, {"batches": 25})
    assert second["checkpoint"] == {"lease": 1, "reached": 25, "copy": 0}
    assert NoisyTrial.seen[-1] == (2, 24)


@pytest.mark.parametrize("trial", [NoisyTrial, OwnGeneratorTrial, StreamTrial, WorkersTrial])
@pytest.mark.parametrize("stop", [7, 10, 13])
def test_a_resumed_trial_continues_as_if_it_had_not_stopped(tmp_path: Path, trial: type[NoisyTrial], stop: int) -> None:
    undisturbed, _ = train(tmp_path / "one", extend(25), trial=trial, until=stop)
    _, link = train(tmp_path / "two", trial=trial, until=stop)
    resumed, _ = train(tmp_path / "two", trial=trial, until=25, checkpoint=latest(link), lease_number=2)
    assert equal(resumed, undisturbed)
    assert trial.seen[0][1] == stop


def test_a_trial_that_begins_from_anothers_checkpoint_counts_from_nothing(tmp_path: Path) -> None:
    source, link = train(tmp_path / "one", until=7)
    foreign = latest(link).model_copy(update={"length": 0, "foreign": True})
    begun, link = train(tmp_path / "two", until=5, checkpoint=foreign)
    assert NoisyTrial.seen == [(0, n) for n in range(5)]
    assert link.told("validation")[0]["length"] == {"batches": 5}
    fresh, _ = train(tmp_path / "three", until=5)
    assert not equal(begun, fresh)
    assert not equal(begun, source)


def test_a_trial_that_is_preempted_in_mid_epoch_loses_nothing(tmp_path: Path) -> None:
    undisturbed, _ = train(tmp_path / "one", until=25)

    class Preempted(NoisyTrial):
        def train_batch(self, batch: Any, epoch_idx: int, batch_idx: int) -> Any:
            if batch_idx == 12:
                link.heard({"do": "stop"})
            return super().train_batch(batch, epoch_idx, batch_idx)

    made, link = run(tmp_path / "two", until=25, scheduling_unit=5)
    PyTorchController(Preempted, made).run()
    assert link.told("validation") == []
    assert latest(link).length == 15  # the next chance to look
    resumed, _ = train(tmp_path / "two", until=25, scheduling_unit=5, checkpoint=latest(link), lease_number=2)
    assert equal(resumed, undisturbed)


def test_validating_in_between_does_not_change_the_training(tmp_path: Path) -> None:
    plain, _ = train(tmp_path / "one", until=25)
    often, link = train(
        tmp_path / "two", until=25, min_validation_period={"batches": 4}, perform_initial_validation=True
    )
    assert equal(plain, often)
    assert [m["length"]["batches"] for m in link.told("validation")] == [0, 4, 8, 12, 16, 20, 24, 25]


def test_checkpoints_are_saved_as_often_as_asked(tmp_path: Path) -> None:
    _, link = train(tmp_path, until=20, min_checkpoint_period={"epochs": 1})
    assert [m["length"]["batches"] for m in link.told("checkpoint")] == [10, 20]


def test_training_metrics_are_means_since_the_last_report(tmp_path: Path) -> None:
    _, link = train(tmp_path, until=12, scheduling_unit=5)
    assert [m["length"]["batches"] for m in link.told("training")] == [5, 10, 12]
    assert set(link.told("training")[0]["metrics"]) == {"loss"}


def test_validation_metrics_are_weighted_by_records(tmp_path: Path) -> None:
    _, link = train(tmp_path, until=1)
    assert link.told("validation")[0]["metrics"]["records"] == pytest.approx((16 * 16 + 16 * 16 + 8 * 8) / 40)


@pytest.mark.parametrize(("until", "batches"), [({"epochs": 2}, 20), ({"records": 30}, 8), ({"batches": 3}, 3)])
def test_lengths_in_every_unit(tmp_path: Path, until: dict[str, int], batches: int) -> None:
    _, link = train(tmp_path, until=until)
    assert len(NoisyTrial.seen) == batches
    assert link.told("validation")[0]["length"] == until


def test_an_epoch_of_a_stream_needs_its_number_of_records(tmp_path: Path) -> None:
    with pytest.raises(CoreError, match="needs records_per_epoch"):
        train(tmp_path, trial=StreamTrial, until={"epochs": 1})
    train(tmp_path, trial=StreamTrial, until={"epochs": 2}, records_per_epoch=12)
    assert len(StreamTrial.seen) == 6


@pytest.mark.parametrize(
    ("mode", "steps"), [(StepMode.EVERY_BATCH, 25), (StepMode.EVERY_EPOCH, 2), (StepMode.MANUALLY, 0)]
)
def test_learning_rate_schedules_step_by_themselves(tmp_path: Path, mode: StepMode, steps: int) -> None:
    class Scheduled(NoisyTrial):
        step_mode = mode

    made, _ = run(tmp_path, until=25)
    controller = PyTorchController(Scheduled, made)
    controller.run()
    scheduler, _ = controller._context.schedulers[0]
    assert scheduler.get_last_lr()[0] == pytest.approx(0.05 * 0.99**steps)


def test_a_trial_that_wraps_nothing_is_told_what_to_do(tmp_path: Path) -> None:
    class Bare(NoisyTrial):
        def __init__(self, context: Any) -> None:
            """Forgets everything."""

    with pytest.raises(CoreError, match="must wrap its model and optimizer"):
        train(tmp_path, trial=Bare)


def test_what_is_no_number_is_kept_beside_the_metrics(tmp_path: Path) -> None:
    class Talking(NoisyTrial):
        def evaluate_batch(self, batch: Any) -> dict[str, Any]:
            return {"loss": torch.zeros(1, 1), "confusion": torch.zeros(2, 2), "note": "good", "auc": None}

    _, link = train(tmp_path, trial=Talking)
    validation = link.told("validation")[0]
    assert validation["metrics"] == {"loss": 0.0}
    assert validation["information"] == {"confusion": [[0.0, 0.0], [0.0, 0.0]], "note": "good", "auc": None}


def test_the_metric_of_the_search_must_be_a_number(tmp_path: Path) -> None:
    class Vector(NoisyTrial):
        def evaluate_batch(self, batch: Any) -> dict[str, Any]:
            return {"loss": torch.zeros(3)}

    expected = r"metric 'loss', which the search is for, is \[0\.0, 0\.0, 0\.0\]; report a number"
    with pytest.raises(CoreError, match=expected):
        train(tmp_path, trial=Vector)


def test_an_evaluation_that_returns_no_names_is_told_what_to_do(tmp_path: Path) -> None:
    class Nameless(NoisyTrial):
        def evaluate_batch(self, batch: Any) -> Any:
            return 1.0

    with pytest.raises(CoreError, match="evaluate_batch returned float; return a dict of metrics by name"):
        train(tmp_path, trial=Nameless)


def test_a_trial_is_a_function_of_its_seed(tmp_path: Path) -> None:
    first, _ = train(tmp_path / "one")
    second, _ = train(tmp_path / "two")
    assert equal(first, second)
