"""A small network that uses every kind of randomness and state that a checkpoint must hold."""

import random
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from etude.trial.pytorch import PyTorchTrial, PyTorchTrialContext, StepMode

RECORDS, BATCH = 40, 4  # ten batches an epoch


def dataset() -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(RECORDS, 3, generator=generator)
    return TensorDataset(inputs, inputs.sum(1, keepdim=True))


class NoisyTrial(PyTorchTrial):
    """Adam, a learning rate schedule, dropout, shuffled data, and noise from three generators."""

    step_mode: ClassVar[StepMode] = StepMode.EVERY_BATCH
    seen: ClassVar[list[tuple[int, int]]] = []

    def __init__(self, context: PyTorchTrialContext) -> None:
        self.context = context
        self.model = context.wrap_model(nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1)))
        self.optimizer = context.wrap_optimizer(torch.optim.Adam(self.model.parameters(), lr=0.05))
        schedule = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, 0.99)
        self.schedule = context.wrap_lr_scheduler(schedule, self.step_mode)

    def build_training_data_loader(self) -> DataLoader[Any]:
        return DataLoader(dataset(), batch_size=BATCH, shuffle=True)

    def build_validation_data_loader(self) -> DataLoader[Any]:
        return DataLoader(dataset(), batch_size=16)

    def train_batch(self, batch: Any, epoch_idx: int, batch_idx: int) -> Any:
        self.seen.append((epoch_idx, batch_idx))
        inputs, wanted = batch
        noise = random.random() + float(np.random.rand()) + torch.rand(1)
        loss = (self.model(inputs) - wanted + 0.01 * noise).pow(2).mean()
        self.context.backward(loss)
        self.context.step_optimizer(self.optimizer)
        return {"loss": loss}

    def evaluate_batch(self, batch: Any) -> dict[str, Any]:
        torch.rand(5)  # an evaluation may draw; training goes on as if it had not
        inputs, wanted = batch
        return {"loss": (self.model(inputs) - wanted).pow(2).mean(), "records": float(len(inputs))}


class OwnGeneratorTrial(NoisyTrial):
    """Its data loader has a generator of its own."""

    def build_training_data_loader(self) -> DataLoader[Any]:
        return DataLoader(dataset(), batch_size=BATCH, shuffle=True, generator=torch.Generator().manual_seed(99))


class Stream(IterableDataset[Any]):
    """Records that come in an order of their own."""

    def __iter__(self) -> Any:
        inputs, wanted = dataset().tensors
        yield from zip(inputs, wanted, strict=True)


class StreamTrial(NoisyTrial):
    """Its data has no length."""

    def build_training_data_loader(self) -> DataLoader[Any]:
        return DataLoader(Stream(), batch_size=BATCH)


class WorkersTrial(NoisyTrial):
    """Its data is loaded by processes."""

    def build_training_data_loader(self) -> DataLoader[Any]:
        return DataLoader(dataset(), batch_size=BATCH, shuffle=True, num_workers=1)
