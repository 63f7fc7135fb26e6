"""A small network whose arithmetic is of the precision that a hyperparameter names."""

from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from etude.trial.pytorch import PyTorchTrial, PyTorchTrialContext


class Precise(PyTorchTrial):
    """Learns the product of two numbers."""

    def __init__(self, context: PyTorchTrialContext) -> None:
        self.context = context
        torch.manual_seed(1)
        network = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 1))
        self.model = context.wrap_model(network)
        self.optimizer = context.wrap_optimizer(torch.optim.Adam(self.model.parameters(), lr=0.01))
        self.precision = context.get_hparam("precision")
        if self.precision != "float32":
            context.use_amp(getattr(torch, self.precision))

    def _data(self, count: int, seed: int) -> TensorDataset:
        points = torch.rand(count, 2, generator=torch.Generator().manual_seed(seed)) * 2 - 1
        return TensorDataset(points, points.prod(dim=1, keepdim=True))

    def build_training_data_loader(self) -> DataLoader[Any]:
        return DataLoader(self._data(256, 1), batch_size=32, shuffle=True)

    def build_validation_data_loader(self) -> DataLoader[Any]:
        return DataLoader(self._data(100, 2), batch_size=100)

    def train_batch(self, batch: Any, epoch_idx: int, batch_idx: int) -> Any:
        found = self.model(batch[0])
        loss = nn.functional.mse_loss(found.float(), batch[1])
        self.context.backward(loss)
        self.context.step_optimizer(self.optimizer)
        return {"loss": loss, "precise": float(found.dtype is getattr(torch, self.precision))}

    def evaluate_batch(self, batch: Any) -> dict[str, Any]:
        found = self.model(batch[0])
        return {
            "loss": nn.functional.mse_loss(found.float(), batch[1]),
            "on_gpu": float(found.is_cuda),
            "precise": float(found.dtype is getattr(torch, self.precision)),
        }
