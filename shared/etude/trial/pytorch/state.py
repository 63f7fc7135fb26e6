"""The state of a PyTorch trial as files of a checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from etude.trial.pytorch.callback import PyTorchCallback
from etude.trial.pytorch.context import PyTorchTrialContext
from etude.trial.pytorch.random_state import set_rng_state

STATE = "state.pt"
Place = tuple[int, int, int]
"""Batches trained, epoch, and batch within the epoch."""


def save_state(
    folder: Path,
    context: PyTorchTrialContext,
    callbacks: Mapping[str, PyTorchCallback],
    rng: list[dict[str, Any]],
    place: Place,
) -> None:
    """Write models, optimizers, schedulers, gradients that are not whole, random numbers and the place in the data.

    Parameters
    ----------
    rng : the states of the generators of all processes, by rank
    """
    batches, epoch, batch_in_epoch = place
    state = {
        "models": [model.state_dict() for model in context.models],
        "optimizers": [optimizer.state_dict() for optimizer in context.optimizers],
        "schedulers": [scheduler.state_dict() for scheduler, _ in context.schedulers],
        "scaler": context.scaler.state_dict(),
        "callbacks": {name: callback.state_dict() for name, callback in callbacks.items()},
        "gradients": _gradients(context, batches),
        "rng": rng,
        "batches": batches,
        "epoch": epoch,
        "batch_in_epoch": batch_in_epoch,
    }
    for callback in callbacks.values():
        callback.on_checkpoint_save_start(state)
    torch.save(state, folder / STATE)


def load_state(folder: Path, context: PyTorchTrialContext, callbacks: Mapping[str, PyTorchCallback]) -> Place:
    """Take a saved state over; returns the place in the data."""
    # A checkpoint of this very experiment: as trustworthy as its model code, which runs in this process.
    state = torch.load(folder / STATE, map_location=context.device, weights_only=False)
    for callback in callbacks.values():
        callback.on_checkpoint_load_start(state)
    for model, saved in zip(context.models, state["models"], strict=True):
        model.load_state_dict(saved)
    for optimizer, saved in zip(context.optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    for (scheduler, _), saved in zip(context.schedulers, state["schedulers"], strict=True):
        scheduler.load_state_dict(saved)
    context.scaler.load_state_dict(state["scaler"])
    for name, callback in callbacks.items():
        if name in state["callbacks"]:
            callback.load_state_dict(state["callbacks"][name])
    for parameter, gradient in zip(_parameters(context), state["gradients"], strict=False):
        parameter.grad = gradient
    distributed = context.distributed
    if len(state["rng"]) == distributed.size:  # else the number of slots has changed, and nothing is as it was
        set_rng_state(state["rng"][distributed.rank])
    return state["batches"], state["epoch"], state["batch_in_epoch"]


def _gradients(context: PyTorchTrialContext, batches: int) -> list[torch.Tensor | None]:
    """Those that are not whole yet; of several slots, where each has its own, they are given up."""
    if batches % context.aggregation_frequency == 0 or context.distributed.size > 1:
        return []
    return [parameter.grad for parameter in _parameters(context)]


def _parameters(context: PyTorchTrialContext) -> list[torch.nn.Parameter]:
    return [parameter for model in context.models for parameter in model.parameters()]
