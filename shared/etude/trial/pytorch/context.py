"""PyTorchTrialContext: wraps what must be moved to the device, saved and restored."""

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

import torch
from torch import distributed as dist
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from etude.core.errors import CoreError
from etude.core.run import Run
from etude.trial.context import TrialContext
from etude.trial.pytorch.process_group import join_process_group

AnyModel = TypeVar("AnyModel", bound=nn.Module)
AnyOptimizer = TypeVar("AnyOptimizer", bound=Optimizer)


class StepMode(Enum):
    """When a learning rate scheduler steps."""

    EVERY_BATCH = "every batch"
    EVERY_EPOCH = "every epoch"
    MANUALLY = "manually"


class PyTorchTrialContext(TrialContext):
    """What a PyTorchTrial's ``__init__`` registers its parts with.

    Attributes
    ----------
    device : where the models live and batches are moved to
    models : as they were given, without what wraps them for training on several slots
    """

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.device = torch.device("cpu")
        if run.assignment.kind == "cuda" and torch.cuda.is_available():
            self.device = torch.device("cuda", run.distributed.local_rank)
            torch.cuda.set_device(self.device)
        self.models: list[nn.Module] = []
        self._trained: list[nn.Module] = []
        self.optimizers: list[Optimizer] = []
        self.schedulers: list[tuple[LRScheduler, StepMode]] = []

    def wrap_model(self, model: AnyModel) -> AnyModel:
        """Move a model to the device; it is saved in checkpoints.

        On several slots what is returned is the model in :class:`torch.nn.parallel.DistributedDataParallel`, which
        averages gradients over the processes.
        """
        model = model.to(self.device)
        self.models.append(model)
        if self.distributed.size == 1 or not any(parameter.requires_grad for parameter in model.parameters()):
            self._trained.append(model)
            return model
        join_process_group(self.distributed, self.device)
        devices = [self.device] if self.device.type == "cuda" else None
        parallel = nn.parallel.DistributedDataParallel(model, device_ids=devices, broadcast_buffers=False)
        self._trained.append(parallel)
        return parallel  # type: ignore[return-value]

    def set_training(self, training: bool) -> None:
        """Bring all models into training or evaluation mode."""
        for model in self._trained:
            model.train(training)

    def share_buffers(self) -> None:
        """Give all processes the first one's buffers, such as running means: each has gathered its own."""
        if self.distributed.size > 1:
            for model in self.models:
                for buffer in model.buffers():
                    dist.broadcast(buffer, src=0)

    def get_per_slot_batch_size(self) -> int:
        """The hyperparameter ``global_batch_size``, shared out among the trial's slots.

        Raises
        ------
        CoreError
            There is no such hyperparameter, or it is smaller than the number of slots.
        """
        size = self.get_global_batch_size() // self.distributed.size
        if size == 0:
            raise CoreError(
                f"global_batch_size {self.get_global_batch_size()} is smaller than the {self.distributed.size} slots"
            )
        return size

    def get_global_batch_size(self) -> int:
        """The hyperparameter ``global_batch_size``: records in a batch of all slots together."""
        return int(self.get_hparam("global_batch_size"))

    def wrap_optimizer(self, optimizer: AnyOptimizer) -> AnyOptimizer:
        """Register an optimizer of wrapped models; it is saved in checkpoints.

        Raises
        ------
        CoreError
            It holds a parameter that is on another device, because its model was not wrapped first.
        """
        for group in optimizer.param_groups:
            if any(parameter.device.type != self.device.type for parameter in group["params"]):
                raise CoreError(
                    "wrap_optimizer: wrap the model first, and give the optimizer the wrapped model's parameters"
                )
        self.optimizers.append(optimizer)
        return optimizer

    def wrap_lr_scheduler(self, scheduler: LRScheduler, step_mode: StepMode = StepMode.EVERY_BATCH) -> LRScheduler:
        """Register a learning rate scheduler; it is saved in checkpoints and steps by itself, unless ``MANUALLY``."""
        self.schedulers.append((scheduler, step_mode))
        return scheduler

    def backward(self, loss: torch.Tensor, **arguments: Any) -> None:
        """Compute gradients."""
        loss.backward(**arguments)  # type: ignore[no-untyped-call]

    def step_optimizer(
        self, optimizer: Optimizer, clip_grads: Callable[[list[torch.Tensor]], None] | None = None
    ) -> None:
        """Update the parameters and clear their gradients.

        Parameters
        ----------
        clip_grads : is given the parameters before the step
        """
        if clip_grads is not None:
            clip_grads([parameter for group in optimizer.param_groups for parameter in group["params"]])
        optimizer.step()
        optimizer.zero_grad()

    def to_device(self, value: Any) -> Any:
        """Move all tensors of a batch to the device."""
        if isinstance(value, torch.Tensor):
            return value.to(self.device, non_blocking=True)
        if isinstance(value, dict):
            return {key: self.to_device(item) for key, item in value.items()}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*map(self.to_device, value))
        if isinstance(value, list | tuple):
            return type(value)(map(self.to_device, value))
        return value
