"""Lightning: a LightningModule as a trial."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer

from etude.adapters.follower import Follower
from etude.core.run import Run
from etude.events import Unit

_FILE = "lightning.ckpt"


def fit(
    run: Run,
    trainer: Trainer,
    module: LightningModule,
    train_dataloaders: Any = None,
    val_dataloaders: Any = None,
    datamodule: LightningDataModule | None = None,
) -> None:
    """``trainer.fit(module, ...)`` as far as the search wants, from the checkpoint if there is one.

    The search says how long to train, in epochs or batches, and when to validate; ``max_epochs``, ``max_steps`` and
    ``val_check_interval`` of the trainer do not count. Metrics are those that the module logs while it validates.
    """
    following = _Following(Follower(run), run.starts_from_another)
    with run.restore_checkpoint() as folder:
        checkpoint = str(folder / _FILE) if folder else None
        if following.follower.owing:
            trainer.validate(module, val_dataloaders, ckpt_path=checkpoint, verbose=False, datamodule=datamodule)
            following.follower.validated(run.length, trainer.callback_metrics, None)
        if not following.follower.done:
            trainer.callbacks.append(following)
            trainer.fit(module, train_dataloaders, val_dataloaders, datamodule, ckpt_path=checkpoint)


class _Following(Callback):
    """Counts batches and epochs of this trial, and lets the trainer validate and end when the search wants it."""

    def __init__(self, follower: Follower, begins_anew: bool) -> None:
        self.follower = follower
        self._begins_anew = begins_anew
        self._batches = self._epochs = 0
        self._leaving = False

    @property
    def _length(self) -> int:
        return self._epochs if self.follower.unit is Unit.EPOCHS else self._batches

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let learning rates that depend on the length of training know it."""
        epochs = self.follower.unit is Unit.EPOCHS
        trainer.fit_loop.max_epochs = self.follower.longest if epochs and not self._begins_anew else -1
        trainer.fit_loop.epoch_loop.max_steps = -1

    def state_dict(self) -> dict[str, Any]:
        """Goes into the checkpoint."""
        return {"batches": self._batches, "epochs": self._epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Comes from the checkpoint; a trial that takes over another's state counts from 0."""
        if not self._begins_anew:
            self._batches, self._epochs = state_dict["batches"], state_dict["epochs"]

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        """Validate after this batch, or not."""
        loop = trainer.fit_loop.epoch_loop
        last = loop.batch_progress.is_last_batch
        self._batches += 1
        self._epochs += last
        due = (last or self.follower.unit is Unit.BATCHES) and self.follower.due(self._length)
        trainer.check_val_every_n_epoch = None  # so that batches are counted over all epochs
        trainer.val_check_batch = loop.total_batch_idx + (1 if due else 2)

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """End if the slots are wanted back."""
        if not self._leaving and self.follower.wanted_back(self._length, self._saving(trainer)):
            self._leaving = trainer.should_stop = True
            trainer.limit_val_batches = 0  # or it would validate before it stops

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report, save, and go on or end."""
        if trainer.sanity_checking or self._leaving:
            return
        if not self.follower.validated(self._length, trainer.callback_metrics, self._saving(trainer)):
            self._leaving = trainer.should_stop = True
        elif self.follower.unit is Unit.EPOCHS and trainer.fit_loop.max_epochs != -1:
            trainer.fit_loop.max_epochs = self.follower.longest

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report training metrics."""
        self.follower.trained(self._length, trainer.logged_metrics)

    def _saving(self, trainer: Trainer) -> Any:
        def save(folder: Path) -> None:
            trainer.save_checkpoint(folder / _FILE)

        return save
