"""Callbacks, reducers, gradients that add up, mixed precision, and evaluation of a whole dataset."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from etude.core import CoreError
from etude.trial.pytorch import MetricReducer, PyTorchCallback, PyTorchTrialContext, Reducer, StepMode
from tests.unit.etude.core.recording import extend
from tests.unit.etude.trial.pytorch.models import NoisyTrial, dataset
from tests.unit.etude.trial.pytorch.test_controller import equal, latest, train


class Diary(PyTorchCallback):
    """Writes down what happens, and how often it was trained before."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.starts = 0

    def on_training_start(self) -> None:
        self.starts += 1
        self.entries.append("start")

    def on_training_epoch_start(self, epoch_idx: int) -> None:
        self.entries.append(f"epoch {epoch_idx}")

    def on_training_epoch_end(self, epoch_idx: int) -> None:
        self.entries.append(f"end of epoch {epoch_idx}")

    def on_validation_start(self) -> None:
        self.entries.append("validation")

    def on_validation_end(self, metrics: dict[str, float]) -> None:
        self.entries.append(f"validated {sorted(metrics)}")

    def on_checkpoint_save_start(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["mine"] = 7

    def on_checkpoint_load_start(self, checkpoint: dict[str, Any]) -> None:
        assert checkpoint["mine"] == 7

    def on_trial_shutdown(self) -> None:
        self.entries.append("shutdown")

    def state_dict(self) -> dict[str, Any]:
        return {"starts": self.starts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.starts = state["starts"]


class DiaryTrial(NoisyTrial):
    diary: ClassVar[Diary]

    def build_callbacks(self) -> dict[str, PyTorchCallback]:
        type(self).diary = Diary()
        return {"diary": type(self).diary}


def test_callbacks_hear_of_everything_in_order(tmp_path: Path) -> None:
    train(tmp_path, trial=DiaryTrial, until=15)
    assert DiaryTrial.diary.entries == [
        "start",
        "epoch 0",
        "end of epoch 0",
        "epoch 1",
        "validation",
        "validated ['loss', 'records']",
        "shutdown",
    ]


def test_what_callbacks_remember_is_in_checkpoints(tmp_path: Path) -> None:
    _, link = train(tmp_path, trial=DiaryTrial, until=15)
    train(tmp_path, trial=DiaryTrial, until=18, checkpoint=latest(link), lease_number=2)
    assert DiaryTrial.diary.starts == 2
    assert "epoch 1" not in DiaryTrial.diary.entries, "it was interrupted and does not begin again"


class ExtremesTrial(NoisyTrial):
    def evaluation_reducer(self) -> dict[str, Reducer]:
        return {"largest": Reducer.MAX, "smallest": Reducer.MIN, "count": Reducer.SUM}

    def evaluate_batch(self, batch: Any) -> dict[str, Any]:
        inputs, _ = batch
        return {"largest": inputs.max(), "smallest": inputs.min(), "count": len(inputs), "mean": inputs.mean()}


def test_metrics_of_batches_are_reduced_as_the_trial_says(tmp_path: Path) -> None:
    _, link = train(tmp_path, trial=ExtremesTrial)
    data = dataset().tensors[0]
    wanted = {"largest": data.max(), "smallest": data.min(), "count": len(data), "mean": data.mean()}
    assert link.told("validation")[0]["metrics"] == pytest.approx({k: float(v) for k, v in wanted.items()}, rel=1e-6)


class WholeTrial(NoisyTrial):
    def evaluate_full_dataset(self, data_loader: DataLoader[Any]) -> dict[str, Any]:
        assert not self.model.training
        return {"loss": torch.tensor(0.5), "batches": sum(1 for _ in data_loader)}


def test_a_trial_may_evaluate_all_its_data_at_once(tmp_path: Path) -> None:
    _, link = train(tmp_path, trial=WholeTrial)
    assert link.told("validation")[0]["metrics"] == {"loss": 0.5, "batches": 3.0}


class NoEvaluationTrial(NoisyTrial):
    evaluate_batch = NoisyTrial.__bases__[0].evaluate_batch  # type: ignore[attr-defined]


def test_a_trial_must_evaluate_somehow(tmp_path: Path) -> None:
    with pytest.raises(CoreError, match="neither evaluate_batch nor evaluate_full_dataset"):
        train(tmp_path, trial=NoEvaluationTrial)


class Spread(MetricReducer):
    """The distance of the largest and the smallest value."""

    def reset(self) -> None:
        self.low, self.high = float("inf"), float("-inf")

    def see(self, value: float) -> None:
        self.low, self.high = min(self.low, value), max(self.high, value)

    def per_slot_reduce(self) -> tuple[float, float]:
        return self.low, self.high

    def cross_slot_reduce(self, per_slot: Any) -> dict[str, float]:
        lows, highs = zip(*per_slot, strict=True)
        return {"spread": max(highs) - min(lows)}


class ReducingTrial(NoisyTrial):
    def __init__(self, context: PyTorchTrialContext) -> None:
        super().__init__(context)
        self.spread = context.wrap_reducer(Spread(), for_training=False)
        self.spread.reset()
        self.trained = context.wrap_reducer(lambda slots: sum(map(len, slots)), name="trained", for_validation=False)

    def train_batch(self, batch: Any, epoch_idx: int, batch_idx: int) -> Any:
        self.trained.update(1)  # type: ignore[attr-defined]
        return super().train_batch(batch, epoch_idx, batch_idx)

    def evaluate_batch(self, batch: Any) -> dict[str, Any]:
        for value in batch[1].flatten().tolist():
            self.spread.see(value)  # type: ignore[attr-defined]
        return {"loss": 1.0}


def test_reducers_make_metrics_of_all_batches(tmp_path: Path) -> None:
    _, link = train(tmp_path, extend(20), trial=ReducingTrial, until=10, scheduling_unit=5)
    targets = dataset().tensors[1]
    spread = float(targets.max() - targets.min())
    assert [message["metrics"]["spread"] for message in link.told("validation")] == pytest.approx([spread, spread])
    assert [message["metrics"]["trained"] for message in link.told("training")] == [5, 5, 5, 5]


def test_a_function_that_reduces_needs_a_name(tmp_path: Path) -> None:
    class Nameless(NoisyTrial):
        def __init__(self, context: PyTorchTrialContext) -> None:
            super().__init__(context)
            context.wrap_reducer(lambda slots: 1.0)

    with pytest.raises(CoreError, match="needs the name of its metric"):
        train(tmp_path, trial=Nameless)


class PlainTrial(NoisyTrial):
    """Without noise or shuffling; ``batch_size`` records a batch."""

    batch_size: ClassVar[int] = 4
    step_mode: ClassVar[StepMode] = StepMode.EVERY_OPTIMIZER_STEP

    def __init__(self, context: PyTorchTrialContext) -> None:
        super().__init__(context)
        self.model[1] = nn.Identity()

    def build_training_data_loader(self) -> DataLoader[Any]:
        return DataLoader(dataset(), batch_size=self.batch_size)

    def train_batch(self, batch: Any, epoch_idx: int, batch_idx: int) -> Any:
        loss = nn.functional.mse_loss(self.model(batch[0]), batch[1])
        self.context.backward(loss)
        self.context.step_optimizer(self.optimizer, lambda parameters: nn.utils.clip_grad_norm_(parameters, 1.0))
        return loss


class LargeBatchTrial(PlainTrial):
    batch_size = 8


def test_gradients_of_two_batches_are_those_of_one_of_twice_the_size(tmp_path: Path) -> None:
    one, _ = train(tmp_path / "one", trial=LargeBatchTrial, until=10)
    two, _ = train(tmp_path / "two", trial=PlainTrial, until=20, optimizations={"aggregation_frequency": 2})
    assert all(torch.allclose(one[name], two[name], atol=1e-6) for name in one)


@pytest.mark.parametrize("stop", [8, 9, 10])
def test_a_trial_that_stops_between_two_steps_of_its_optimizer_loses_nothing(tmp_path: Path, stop: int) -> None:
    options: dict[str, Any] = {"trial": PlainTrial, "optimizations": {"aggregation_frequency": 4}}
    undisturbed, _ = train(tmp_path / "one", extend(24), until=stop, **options)
    _, link = train(tmp_path / "two", until=stop, **options)
    resumed, _ = train(tmp_path / "two", until=24, checkpoint=latest(link), lease_number=2, **options)
    assert equal(undisturbed, resumed)


class MixedTrial(PlainTrial):
    seen_dtypes: ClassVar[set[torch.dtype]] = set()

    def __init__(self, context: PyTorchTrialContext) -> None:
        super().__init__(context)
        context.use_amp()

    def train_batch(self, batch: Any, epoch_idx: int, batch_idx: int) -> Any:
        self.seen_dtypes.add(self.model(batch[0]).dtype)
        return super().train_batch(batch, epoch_idx, batch_idx)


def test_mixed_precision_computes_in_half_and_keeps_weights_whole(tmp_path: Path) -> None:
    weights, link = train(tmp_path, trial=MixedTrial, until=20)
    assert MixedTrial.seen_dtypes == {torch.bfloat16}
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    assert link.told("validation")[0]["metrics"]["loss"] < 10
