"""PyTorchCallback: what a trial may do at certain moments of its training."""

from typing import Any


class PyTorchCallback:
    """Does nothing; override what you need. What :meth:`state_dict` gives is saved in checkpoints."""

    def on_training_start(self) -> None:
        """The trial is built and restored, and begins to train."""

    def on_training_epoch_start(self, epoch_idx: int) -> None:
        """An epoch begins; one that was interrupted does not begin again."""

    def on_training_epoch_end(self, epoch_idx: int) -> None:
        """An epoch is over."""

    def on_validation_start(self) -> None:
        """A validation begins."""

    def on_validation_end(self, metrics: dict[str, float]) -> None:
        """A validation is over; metrics are there in the first process, and none in the others."""

    def on_checkpoint_save_start(self, checkpoint: dict[str, Any]) -> None:
        """A checkpoint is about to be written, by the first process; may add to it."""

    def on_checkpoint_load_start(self, checkpoint: dict[str, Any]) -> None:
        """A checkpoint was read, and is about to be taken over."""

    def on_trial_shutdown(self) -> None:
        """The process is about to end, whether the trial is over, paused or preempted."""

    def state_dict(self) -> dict[str, Any]:
        """What checkpoints are to hold."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what a checkpoint holds."""
