"""The state of a PyTorch trial as files of a checkpoint."""

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from etude.trial.pytorch.context import PyTorchTrialContext

STATE = "state.pt"


def save_state(folder: Path, context: PyTorchTrialContext, batches: int, epoch: int, batch_in_epoch: int) -> None:
    """Write models, optimizers, schedulers, random number generators and the position in the data."""
    torch.save(
        {
            "models": [model.state_dict() for model in context.models],
            "optimizers": [optimizer.state_dict() for optimizer in context.optimizers],
            "schedulers": [scheduler.state_dict() for scheduler, _ in context.schedulers],
            "rng": rng_state(),
            "batches": batches,
            "epoch": epoch,
            "batch_in_epoch": batch_in_epoch,
        },
        folder / STATE,
    )


def load_state(folder: Path, context: PyTorchTrialContext) -> tuple[int, int, int]:
    """Take a saved state over; returns batches, epoch, and batch within the epoch."""
    # A checkpoint of this very experiment: as trustworthy as its model code, which runs in this process.
    state = torch.load(folder / STATE, map_location=context.device, weights_only=False)
    for model, saved in zip(context.models, state["models"], strict=True):
        model.load_state_dict(saved)
    for optimizer, saved in zip(context.optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    for (scheduler, _), saved in zip(context.schedulers, state["schedulers"], strict=True):
        scheduler.load_state_dict(saved)
    set_rng_state(state["rng"])
    return state["batches"], state["epoch"], state["batch_in_epoch"]


def seed_everything(seed: int) -> None:
    """Seed the generators of Python, NumPy and torch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def rng_state() -> dict[str, Any]:
    """The states of all generators."""
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],  # type: ignore[no-untyped-call]
    }


def set_rng_state(state: dict[str, Any]) -> None:
    """Take over states of all generators."""
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] and torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([saved.cpu() for saved in state["cuda"]])


@contextlib.contextmanager
def rng_untouched() -> Iterator[None]:
    """Whatever happens inside draws no random number from the training's generators."""
    state = rng_state()
    try:
        yield
    finally:
        set_rng_state(state)
