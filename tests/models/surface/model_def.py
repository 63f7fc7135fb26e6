"""A small regression on data of its own, with Adam, a scheduler and shuffled batches; on any number of slots."""

import os
import time
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from etude.trial.pytorch import PyTorchTrial, PyTorchTrialContext


class Surface(PyTorchTrial):
    """Learns the product of two numbers."""

    def __init__(self, context: PyTorchTrialContext) -> None:
        self.context = context
        torch.manual_seed(context.get_trial_seed())
        inner = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16) if context.get_hparam("norm") else nn.Identity())
        self.model = context.wrap_model(nn.Sequential(inner, nn.Tanh(), nn.Linear(16, 1)))
        self.optimizer = context.wrap_optimizer(torch.optim.Adam(self.model.parameters(), lr=0.01))
        context.wrap_lr_scheduler(torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=20, gamma=0.5))
        print(f"rank {context.distributed.rank} of {context.distributed.size} is process {os.getpid()}", flush=True)

    def _data(self, count: int, seed: int) -> TensorDataset:
        points = torch.rand(count, 2, generator=torch.Generator().manual_seed(seed)) * 2 - 1
        return TensorDataset(points, points.prod(dim=1, keepdim=True))

    def build_training_data_loader(self) -> DataLoader[Any]:
        return DataLoader(self._data(256, 1), self.context.get_per_slot_batch_size(), shuffle=True)

    def build_validation_data_loader(self) -> DataLoader[Any]:
        return DataLoader(self._data(100, 2), batch_size=7)

    def train_batch(self, batch: Any, epoch_idx: int, batch_idx: int) -> Any:
        time.sleep(self.context.get_hparam("seconds"))
        loss = nn.functional.mse_loss(self.model(batch[0]), batch[1])
        self.context.backward(loss)
        self.context.step_optimizer(self.optimizer)
        return loss

    def evaluate_batch(self, batch: Any) -> dict[str, Any]:
        weights = torch.cat([parameter.flatten() for parameter in self.context.models[0].parameters()])
        return {
            "loss": nn.functional.mse_loss(self.model(batch[0]), batch[1]),
            "weights": weights.double().pow(2).sum(),
        }
