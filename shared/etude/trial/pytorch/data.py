"""Training data in an order that depends on seed and epoch alone, so that it can be entered anywhere."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset

from etude.core.errors import CoreError
from etude.trial.pytorch.random_state import rng_untouched, seed_everything


class TrainingData:
    """The batches of a data loader, epoch after epoch.

    The sampler of each epoch runs under a generator seeded by the trial's seed and the epoch, so that the order after
    a resume is that of an undisturbed run. An iterable dataset has no order of ours: its first batches are read and
    thrown away. Worker processes of a data loader have random states of their own, which are not saved: what they
    draw for a batch in the middle of an epoch may differ after a resume.

    Parameters
    ----------
    loader : as the trial built it
    seed : of the trial
    """

    def __init__(self, loader: DataLoader[Any], seed: int) -> None:
        self._loader = loader
        self._seed = seed
        self.batches_per_epoch: int | None = None if isinstance(loader.dataset, IterableDataset) else len(loader)
        if self.batches_per_epoch == 0:
            raise CoreError("the training data loader is empty; check its dataset, batch_size and drop_last")

    def batches(self, epoch: int, skip: int) -> Iterator[Any]:
        """The batches of an epoch but the first ``skip``."""
        if self.batches_per_epoch is None or self._loader.batch_sampler is None:
            return self._enter(skip)
        seed = _mix(self._seed, epoch)
        generator = torch.Generator().manual_seed(seed)
        for own in (self._loader.generator, getattr(self._loader.sampler, "generator", None)):
            if isinstance(own, torch.Generator):
                own.manual_seed(seed)
        with rng_untouched():
            seed_everything(seed)
            order = list(self._loader.batch_sampler)
        loader: DataLoader[Any] = DataLoader(
            self._loader.dataset,
            batch_sampler=order[skip:],
            num_workers=self._loader.num_workers,
            collate_fn=self._loader.collate_fn,
            pin_memory=self._loader.pin_memory,
            timeout=self._loader.timeout,
            worker_init_fn=self._loader.worker_init_fn,
            multiprocessing_context=self._loader.multiprocessing_context,
            prefetch_factor=self._loader.prefetch_factor,
            generator=generator,
        )
        return iter(loader)

    def _enter(self, skip: int) -> Iterator[Any]:
        if skip == 0:
            return iter(self._loader)
        with rng_untouched():  # what these batches drew was drawn before
            batches = iter(self._loader)
            for _ in range(skip):
                next(batches, None)
        return batches


def _mix(seed: int, epoch: int) -> int:
    return (seed * 1_000_003 + epoch) % 2**63
