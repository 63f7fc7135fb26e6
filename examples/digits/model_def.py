"""A small convolutional network for scikit-learn's bundled handwritten digits, as a PyTorchTrial."""

import torch
from data import digits
from torch import nn
from torch.utils.data import DataLoader

from etude.trial.pytorch import PyTorchTrial, PyTorchTrialContext


def build_network(filters: int, hidden: int, dropout: float) -> nn.Module:
    """8 × 8 pixels in, 10 scores out."""
    return nn.Sequential(
        nn.Conv2d(1, filters, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(filters, 2 * filters, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * filters * 4, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, 10),
    )


class DigitsTrial(PyTorchTrial):
    def __init__(self, context: PyTorchTrialContext) -> None:
        self.context = context
        network = build_network(
            context.get_hparam("filters"), context.get_hparam("hidden"), context.get_hparam("dropout")
        )
        self.model = context.wrap_model(network)
        self.optimizer = context.wrap_optimizer(
            torch.optim.SGD(
                self.model.parameters(),
                lr=context.get_hparam("learning_rate"),
                momentum=context.get_hparam("momentum"),
            )
        )
        self.train_set, self.validation_set = digits()

    def build_training_data_loader(self):
        return DataLoader(self.train_set, batch_size=self.context.get_hparam("batch_size"), shuffle=True)

    def build_validation_data_loader(self):
        return DataLoader(self.validation_set, batch_size=360)

    def train_batch(self, batch, epoch_idx, batch_idx):
        images, labels = batch
        loss = nn.functional.cross_entropy(self.model(images), labels)
        self.context.backward(loss)
        self.context.step_optimizer(self.optimizer)
        return {"loss": loss}

    def evaluate_batch(self, batch):
        images, labels = batch
        scores = self.model(images)
        return {
            "validation_loss": nn.functional.cross_entropy(scores, labels),
            "accuracy": (scores.argmax(1) == labels).float().mean(),
        }
