"""The state of a PyTorch trial as files of a checkpoint."""

from pathlib import Path
from typing import Any

import torch

from etude.trial.pytorch.context import PyTorchTrialContext
from etude.trial.pytorch.random_state import set_rng_state

STATE = "state.pt"


def save_state(
    folder: Path,
    context: PyTorchTrialContext,
    rng: list[dict[str, Any]],
    batches: int,
    epoch: int,
    batch_in_epoch: int,
) -> None:
    """Write models, optimizers, schedulers, random number generators and the position in the data.

    Parameters
    ----------
    rng : the states of the generators of all processes, by rank
    """
    torch.save(
        {
            "models": [model.state_dict() for model in context.models],
            "optimizers": [optimizer.state_dict() for optimizer in context.optimizers],
            "schedulers": [scheduler.state_dict() for scheduler, _ in context.schedulers],
            "rng": rng,
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
    distributed = context.distributed
    if len(state["rng"]) == distributed.size:  # else the number of slots has changed, and nothing is as it was
        set_rng_state(state["rng"][distributed.rank])
    return state["batches"], state["epoch"], state["batch_in_epoch"]
