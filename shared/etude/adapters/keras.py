"""Keras 3: a compiled model as a trial, on whichever backend."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from etude.adapters.follower import Follower
from etude.core.run import Run
from etude.events import Unit

_FILE = "model.weights.h5"


def fit(run: Run, model: keras.Model, *args: Any, validation_data: Any, **kwargs: Any) -> None:
    """``model.fit(...)`` as far as the search wants, from the checkpoint if there is one.

    The search says how long to train, in epochs or batches, and when to validate. Validation metrics begin with
    ``val_``, as Keras has it.

    Parameters
    ----------
    args, kwargs : as for ``model.fit``, but for ``epochs`` and ``initial_epoch``
    validation_data : as for ``model.fit``
    """
    follower = Follower(run)
    following = _Following(follower, validation_data, kwargs.get("batch_size"))
    callbacks = [*kwargs.pop("callbacks", []), following]
    kwargs.setdefault("verbose", 0)
    while not follower.done:  # more than once if the search was extended beyond its max_length
        begin, end = (following.length, follower.longest) if follower.unit is Unit.EPOCHS else (0, sys.maxsize)
        model.fit(*args, **kwargs, callbacks=callbacks, initial_epoch=begin, epochs=max(end, begin + 1))


class _Following(keras.callbacks.Callback):
    """Validates, saves and ends when the search wants it."""

    def __init__(self, follower: Follower, validation_data: Any, batch_size: int | None) -> None:
        super().__init__()
        self._follower = follower
        self._inputs, self._targets, self._weights = keras.utils.unpack_x_y_sample_weight(validation_data)
        self._batch_size = batch_size
        self._restored = False
        self.length = follower.run.length

    def on_train_begin(self, logs: Any = None) -> None:
        """Take over the state of the checkpoint; Keras has built everything by now."""
        if self._restored:
            return
        self._restored = True
        with self._follower.run.restore_checkpoint() as folder:
            if folder is not None:
                self.model.load_weights(folder / _FILE)  # and the optimizer's
        if self._follower.owing:
            self._validate(saved=True)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Validate where the search wants it, or end if the slots are wanted back."""
        if self.model.stop_training:
            return
        counts = self._follower.unit is Unit.BATCHES
        self.length += counts
        if counts and self._follower.due(self.length):
            self._validate()
        elif self._follower.wanted_back(self.length, self._save):
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Report training metrics, and validate where the search wants it."""
        if self.model.stop_training:
            return
        counts = self._follower.unit is Unit.EPOCHS
        self.length += counts
        self._follower.trained(self.length, logs or {})
        if counts and self._follower.due(self.length):
            self._validate()

    def _validate(self, saved: bool = False) -> None:
        found = self.model.evaluate(
            self._inputs,
            self._targets,
            sample_weight=self._weights,
            batch_size=self._batch_size,
            return_dict=True,
            verbose=0,
        )
        if keras.backend.backend() == "torch":
            self.model.train()
        metrics = {f"val_{name}": value for name, value in found.items()}
        if not self._follower.validated(self.length, metrics, None if saved else self._save):
            self.model.stop_training = True

    def _save(self, folder: Path) -> None:
        self.model.save_weights(folder / _FILE)
