"""A LightningModule that learns scikit-learn's digits. Run it by hand, too: python train.py"""

import tempfile

import torch
from lightning.pytorch import LightningModule, Trainer
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

import etude.core
from etude.adapters.lightning import fit


class Digits(LightningModule):
    def __init__(self, hidden: int, dropout: float, learning_rate: float) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.network = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 10))

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        images, labels = batch
        loss = nn.functional.cross_entropy(self.network(images), labels)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[torch.Tensor], batch_idx: int) -> None:
        images, labels = batch
        self.log("accuracy", (self.network(images).argmax(1) == labels).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.learning_rate)


def main() -> None:
    hyperparameters = {"hidden": 64, "dropout": 0.1, "learning_rate": 0.003}
    with etude.core.init(hyperparameters, length={"epochs": 5}) as run:
        torch.manual_seed(run.trial_seed)
        raw = load_digits()
        digits = TensorDataset(torch.tensor(raw.data, dtype=torch.float32) / 16, torch.tensor(raw.target))
        training, validation = random_split(digits, [0.8, 0.2], torch.Generator().manual_seed(0))
        trainer = Trainer(
            accelerator="auto",
            devices=1,
            default_root_dir=tempfile.gettempdir(),
            logger=False,  # etude keeps metrics and checkpoints
            enable_checkpointing=False,
            enable_progress_bar=False,
        )
        fit(
            run,
            trainer,
            Digits(run.get_hparam("hidden"), run.get_hparam("dropout"), run.get_hparam("learning_rate")),
            DataLoader(training, batch_size=32, shuffle=True),
            DataLoader(validation, batch_size=256),
        )


if __name__ == "__main__":
    main()
