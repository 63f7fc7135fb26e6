"""PyTorchTrial: the class that users write."""

from abc import abstractmethod
from typing import Any

from torch.utils.data import DataLoader

from etude.core.run import Run
from etude.trial.pytorch.context import PyTorchTrialContext
from etude.trial.trial import Trial


class PyTorchTrial(Trial):
    """A PyTorch model, its data and one step of training.

    ``__init__`` builds models, optimizers and learning rate schedulers and wraps each by the context. Checkpoints
    hold all of them, the states of the random number generators and the position in the data, so that a trial that
    was interrupted goes on as if it had not been.
    """

    @abstractmethod
    def __init__(self, context: PyTorchTrialContext) -> None: ...

    @abstractmethod
    def build_training_data_loader(self) -> DataLoader[Any]:
        """The training data."""

    @abstractmethod
    def build_validation_data_loader(self) -> DataLoader[Any]:
        """The validation data."""

    @abstractmethod
    def train_batch(self, batch: Any, epoch_idx: int, batch_idx: int) -> Any:
        """Train on one batch: forward, ``context.backward``, ``context.step_optimizer``.

        Parameters
        ----------
        batch : what the data loader gave, on the device
        epoch_idx, batch_idx : epochs and batches trained before this one, both counted from the beginning of the trial

        Returns
        -------
        The loss as a scalar tensor, or training metrics by name.
        """

    @abstractmethod
    def evaluate_batch(self, batch: Any) -> dict[str, Any]:
        """Validation metrics of one batch by name; the validation's are their mean, weighted by batch size."""

    @classmethod
    def controller(cls, run: Run) -> None:
        """Carry a run out."""
        from etude.trial.pytorch.controller import PyTorchController

        PyTorchController(cls, run).run()
