"""PyTorchTrialContext: wraps what must be moved to the device, saved and restored."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any, TypeVar

import torch
from torch import distributed as dist
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from etude.config.experiment import Optimizations
from etude.core.errors import CoreError
from etude.core.run import Run
from etude.trial.context import TrialContext
from etude.trial.pytorch.process_group import join_process_group
from etude.trial.pytorch.reducer import FunctionReducer, MetricReducer

AnyModel = TypeVar("AnyModel", bound=nn.Module)
AnyOptimizer = TypeVar("AnyOptimizer", bound=Optimizer)


class StepMode(Enum):
    """When a learning rate scheduler steps."""

    EVERY_BATCH = "every batch"
    EVERY_EPOCH = "every epoch"
    EVERY_OPTIMIZER_STEP = "every optimizer step"
    """As often as optimizers step: once in ``optimizations.aggregation_frequency`` batches."""
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
        self._reducers: list[tuple[MetricReducer, str | None, bool, bool]] = []
        self._amp: torch.dtype | None = None
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=False)
        optimizations = Optimizations.model_validate(run.assignment.config.get("optimizations") or {})
        self.aggregation_frequency = optimizations.aggregation_frequency
        self._average = optimizations.average_aggregated_gradients
        self._steps = True  # does the batch at hand end with a step of the optimizers?
        self._stepped = False
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

    def wrap_reducer(
        self,
        reducer: MetricReducer | Callable[[Sequence[list[Any]]], Any],
        name: str | None = None,
        for_training: bool = True,
        for_validation: bool = True,
    ) -> MetricReducer:
        """Register a reducer: what it makes of all batches, on all slots, is reported with the other metrics.

        Parameters
        ----------
        reducer : or a function of the values that each slot has given to ``update``
        name : of the metric, if the reducer gives a single one
        for_training, for_validation : whose batches it sees

        Raises
        ------
        CoreError
            A function needs a name.
        """
        if not isinstance(reducer, MetricReducer):
            if name is None:
                raise CoreError("wrap_reducer: a function needs the name of its metric, name=...")
            reducer = FunctionReducer(reducer)
        self._reducers.append((reducer, name, for_training, for_validation))
        return reducer

    def use_amp(self, dtype: torch.dtype = torch.bfloat16) -> None:
        """Train and evaluate in mixed precision (``torch.amp.autocast``); with float16 gradients are scaled."""
        self._amp = dtype
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=dtype is torch.float16)

    def backward(self, loss: torch.Tensor, **arguments: Any) -> None:
        """Compute gradients; they add up over ``optimizations.aggregation_frequency`` batches."""
        if self._average and self.aggregation_frequency > 1:
            loss = loss / self.aggregation_frequency
        self.scaler.scale(loss).backward(**arguments)  # type: ignore[no-untyped-call]

    def step_optimizer(
        self, optimizer: Optimizer, clip_grads: Callable[[list[torch.Tensor]], None] | None = None
    ) -> None:
        """Update the parameters and clear their gradients, if enough batches have gone by.

        Parameters
        ----------
        clip_grads : is given the parameters before the step
        """
        if not self._steps:
            return
        if clip_grads is not None:
            self.scaler.unscale_(optimizer)
            clip_grads([parameter for group in optimizer.param_groups for parameter in group["params"]])
        self.scaler.step(optimizer)
        optimizer.zero_grad()
        self._stepped = True

    # For the controller

    @contextlib.contextmanager
    def training_step(self, batch_idx: int) -> Iterator[None]:
        """One call of ``train_batch``."""
        self._steps = (batch_idx + 1) % self.aggregation_frequency == 0
        self._stepped = False
        with contextlib.ExitStack() as around:
            if not self._steps:  # gradients are exchanged when they are whole
                for model in self._trained:
                    if isinstance(model, nn.parallel.DistributedDataParallel):
                        around.enter_context(model.no_sync())
            around.enter_context(self.autocast())
            yield
        if self._stepped:
            self.scaler.update()
            self.step_schedulers(StepMode.EVERY_OPTIMIZER_STEP)
        self.step_schedulers(StepMode.EVERY_BATCH)

    def step_schedulers(self, mode: StepMode) -> None:
        """Step the learning rate schedulers of a mode."""
        for scheduler, step_mode in self.schedulers:
            if step_mode is mode:
                scheduler.step()

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Mixed precision, if it is used."""
        return torch.amp.autocast(self.device.type, dtype=self._amp, enabled=self._amp is not None)

    def reset_reducers(self, for_training: bool) -> None:
        """A period of training or a validation begins."""
        for reducer in self._chosen(for_training):
            reducer[0].reset()

    def reduce(self, for_training: bool) -> dict[str, float]:
        """What the reducers make of all that was gathered, in the first process; and reset them."""
        metrics: dict[str, float] = {}
        for reducer, name, *_ in self._chosen(for_training):
            told = self.distributed.gather(reducer.per_slot_reduce())
            if told:
                reduced = reducer.cross_slot_reduce(told)
                metrics.update(reduced if name is None else {name: reduced})
            reducer.reset()
        return metrics

    def _chosen(self, for_training: bool) -> list[tuple[MetricReducer, str | None, bool, bool]]:
        return [reducer for reducer in self._reducers if reducer[2 if for_training else 3]]

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
