"""PyTorchTrial: the class that users write."""

from abc import abstractmethod
from typing import Any

from torch.utils.data import DataLoader

from etude.core.errors import CoreError
from etude.core.run import Run
from etude.trial.pytorch.callback import PyTorchCallback
from etude.trial.pytorch.context import PyTorchTrialContext
from etude.trial.pytorch.reducer import Reducer
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

    def evaluate_batch(self, batch: Any) -> dict[str, Any]:
        """Validation metrics of one batch by name; the validation's are made of them by :meth:`evaluation_reducer`."""
        raise CoreError(
            f"{type(self).__name__} has neither evaluate_batch nor evaluate_full_dataset; write one of them"
        )

    def evaluate_full_dataset(self, data_loader: DataLoader[Any]) -> dict[str, Any]:
        """Validation metrics of all data at once, instead of :meth:`evaluate_batch`; on the first slot alone.

        Parameters
        ----------
        data_loader : what :meth:`build_validation_data_loader` gave; move batches by ``context.to_device``
        """
        raise CoreError(f"{type(self).__name__} evaluates batch by batch; write evaluate_full_dataset first")

    def evaluation_reducer(self) -> Reducer | dict[str, Reducer]:
        """How the metrics of batches become the validation's: by default their mean, weighted by batch size."""
        return Reducer.AVG

    def build_callbacks(self) -> dict[str, PyTorchCallback]:
        """What is to be done at certain moments, by names under which checkpoints hold its state."""
        return {}

    @classmethod
    def controller(cls, run: Run) -> None:
        """Carry a run out."""
        from etude.trial.pytorch.controller import PyTorchController

        PyTorchController(cls, run).run()
