"""A small regression in each library that has an adapter, trained the same way each time: 4 batches an epoch."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from etude.core.run import Run

BATCHES = 4
"""In an epoch."""
Tick = Callable[[], None]
Train = Callable[[Run, Path, Tick], np.ndarray]
"""Trains a new model within a run, with a folder for what the library writes; calls ``tick`` in each training batch.
Returns its weights."""


def data(rows: int = 32, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (rows × 3) and targets (rows × 1)."""
    x = np.random.default_rng(seed).normal(size=(rows, 3)).astype("float32")
    return x, (x @ np.array([[1.0], [-2.0], [0.5]])).astype("float32")


def lightning(run: Run, folder: Path, tick: Tick) -> np.ndarray:
    import torch
    from lightning.pytorch import LightningModule, Trainer
    from torch.utils.data import DataLoader, TensorDataset

    from etude.adapters.lightning import fit

    class Line(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.line = torch.nn.Linear(3, 1)

        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            tick()
            loss = self.loss(batch)
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch: Any, batch_idx: int) -> None:
            self.log("loss", self.loss(batch))

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=0.05)

        def loss(self, batch: Any) -> torch.Tensor:
            return torch.nn.functional.mse_loss(self.line(batch[0]), batch[1])

    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    train, validation = (
        DataLoader(TensorDataset(*map(torch.from_numpy, data(seed=seed))), batch_size=8) for seed in (0, 1)
    )
    module = Line()
    fit(run, trainer, module, train, validation)
    return flat(module)


def transformers(run: Run, folder: Path, tick: Tick) -> np.ndarray:
    import torch
    from transformers import Trainer, TrainingArguments

    from etude.adapters.transformers import train

    class Line(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.line = torch.nn.Linear(3, 1)

        def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            if self.training:
                tick()
            found = self.line(x)
            return {"loss": torch.nn.functional.mse_loss(found, labels), "logits": found}

    def rows(seed: int) -> list[dict[str, np.ndarray]]:
        return [{"x": x, "labels": y} for x, y in zip(*data(seed=seed), strict=True)]

    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=8,
        learning_rate=0.05,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        logging_steps=2,
    )
    model = Line()
    train(run, Trainer(model, arguments, train_dataset=rows(0), eval_dataset=rows(1)))
    return flat(model)


def keras(run: Run, folder: Path, tick: Tick) -> np.ndarray:
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    from etude.adapters.keras import fit

    class Ticking(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            tick()

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(0.05), loss="mse")
    fit(run, model, *data(), validation_data=data(seed=1), batch_size=8, shuffle=False, callbacks=[Ticking()])
    return np.concatenate([np.ravel(weights) for weights in model.get_weights()])


def flat(model: Any) -> np.ndarray:
    """All weights of a torch model."""
    return np.concatenate([parameter.detach().numpy().ravel() for parameter in model.parameters()])
