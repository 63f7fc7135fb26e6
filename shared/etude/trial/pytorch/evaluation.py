"""Evaluation: the validation of a PyTorchTrial."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader

from etude.core.errors import CoreError
from etude.trial.pytorch.averages import Averages, records
from etude.trial.pytorch.context import PyTorchTrialContext
from etude.trial.pytorch.data import validation_batches
from etude.trial.pytorch.random_state import rng_untouched
from etude.trial.pytorch.trial import PyTorchTrial


class Evaluation:
    """Evaluates a trial on its validation data: batch by batch on all slots, or as the trial wants on the first one.

    Parameters
    ----------
    trial, context : whose models are evaluated
    data : the validation data
    """

    def __init__(self, trial: PyTorchTrial, context: PyTorchTrialContext, data: DataLoader[Any]) -> None:
        self._trial = trial
        self._context = context
        self._data = data
        debug = context.get_experiment_config().get("debug")
        self._one_batch = isinstance(debug, dict) and bool(debug.get("one_batch"))
        self._whole = type(trial).evaluate_full_dataset is not PyTorchTrial.evaluate_full_dataset

    def run(self) -> dict[str, Any]:
        """The metrics, in the first process; nothing in the others. Draws no number that training would draw."""
        self._context.set_training(False)
        self._context.share_buffers()
        with rng_untouched(), torch.no_grad(), self._context.autocast():
            metrics = self._full() if self._whole else self._by_batches()
        return {**metrics, **self._context.reduce(for_training=False)}

    def _full(self) -> dict[str, Any]:
        metrics: Mapping[str, Any] = {}
        if self._context.distributed.chief:
            metrics = self._trial.evaluate_full_dataset(self._data)
            _check(metrics, "evaluate_full_dataset")
        self._context.distributed.barrier()
        return dict(metrics)

    def _by_batches(self) -> dict[str, Any]:
        distributed = self._context.distributed
        averages = Averages(self._trial.evaluation_reducer())
        batches = validation_batches(self._data, distributed.rank, distributed.size)
        for raw in islice(batches, 1 if self._one_batch else None):
            batch = self._context.to_device(raw)
            metrics = self._trial.evaluate_batch(batch)
            _check(metrics, "evaluate_batch")
            averages.add(metrics, records(batch))
        averages.merge(distributed)
        return averages.take()


def _check(metrics: Any, method: str) -> None:
    if not isinstance(metrics, Mapping):
        raise CoreError(f"{method} returned {type(metrics).__name__}; return a dict of metrics by name")
