"""The same model as a plain script on the core API. Run it by hand, too: python train.py"""

import torch
from data import digits
from model_def import build_network
from torch import nn
from torch.utils.data import DataLoader

import etude.core

DEFAULTS = {
    "filters": 8,
    "hidden": 64,
    "dropout": 0.1,
    "learning_rate": 0.05,
    "momentum": 0.9,
    "batch_size": 32,
}


def main() -> None:
    with etude.core.init(hyperparameters=DEFAULTS, length={"epochs": 5}) as run:
        torch.manual_seed(run.trial_seed)
        train_set, validation_set = digits()
        loader = DataLoader(train_set, batch_size=run.get_hparam("batch_size"), shuffle=True)
        model = build_network(run.get_hparam("filters"), run.get_hparam("hidden"), run.get_hparam("dropout"))
        optimizer = torch.optim.SGD(
            model.parameters(), lr=run.get_hparam("learning_rate"), momentum=run.get_hparam("momentum")
        )
        epoch = run.length
        with run.restore_checkpoint() as folder:
            if folder is not None:
                state = torch.load(folder / "state.pt", weights_only=True)
                model.load_state_dict(state["model"])
                optimizer.load_state_dict(state["optimizer"])
        for operation in run.searcher.operations():
            while epoch < operation.length and not run.should_stop():
                loss = train_epoch(model, optimizer, loader)
                epoch += 1
                run.report_training(epoch, {"loss": loss})
            with run.save_checkpoint(epoch) as folder:
                torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, folder / "state.pt")
            if epoch == operation.length:
                run.report_validation(epoch, evaluate(model, validation_set))


def train_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, loader: DataLoader) -> float:
    model.train()
    total = 0.0
    for images, labels in loader:
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)


def evaluate(model: nn.Module, dataset: torch.utils.data.TensorDataset) -> dict[str, float]:
    model.eval()
    images, labels = dataset.tensors
    with torch.no_grad():
        scores = model(images)
    return {
        "validation_loss": nn.functional.cross_entropy(scores, labels).item(),
        "accuracy": (scores.argmax(1) == labels).float().mean().item(),
    }


if __name__ == "__main__":
    main()
