"""Training data in an order that depends on seed and epoch alone, so that it can be entered anywhere."""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset

from etude.core.errors import CoreError


class TrainingData:
    """The batches of a data loader, epoch after epoch.

    The sampler of each epoch runs under a generator seeded by the trial's seed and the epoch, so that the order after
    a resume is that of an undisturbed run. An iterable dataset has no order of ours: its first batches are read and
    thrown away.

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
        generator = torch.Generator().manual_seed(_mix(self._seed, epoch))
        if self.batches_per_epoch is None or self._loader.batch_sampler is None:
            return itertools.islice(iter(self._loader), skip, None)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_mix(self._seed, epoch))
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


def _mix(seed: int, epoch: int) -> int:
    return (seed * 1_000_003 + epoch) % 2**63
