"""Training data in an order that depends on seed and epoch alone, so that it can be entered anywhere."""

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset

from etude.core.errors import CoreError
from etude.trial.pytorch.random_state import rng_untouched, seed_everything


class TrainingData:
    """The batches of a data loader, epoch after epoch; of several processes each takes every so-manieth one.

    All processes draw the same order. So that none waits for another, the last ones are filled up from the front.

    The sampler of each epoch runs under a generator seeded by the trial's seed and the epoch, so that the order after
    a resume is that of an undisturbed run. An iterable dataset has no order of ours: its first batches are read and
    thrown away. Worker processes of a data loader have random states of their own, which are not saved: what they
    draw for a batch in the middle of an epoch may differ after a resume.

    Parameters
    ----------
    loader : as the trial built it
    seed : of the trial
    rank, size : of this process

    Attributes
    ----------
    batches_per_epoch : of each process
    """

    def __init__(self, loader: DataLoader[Any], seed: int, rank: int = 0, size: int = 1) -> None:
        self._loader = loader
        self._seed = seed
        self._rank, self._size = rank, size
        endless = isinstance(loader.dataset, IterableDataset)
        self.batches_per_epoch: int | None = None if endless else math.ceil(len(loader) / size)
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
        order += order[: -len(order) % self._size]
        loader: DataLoader[Any] = DataLoader(
            self._loader.dataset,
            batch_sampler=order[self._rank :: self._size][skip:],
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
            return self._own(iter(self._loader))
        with rng_untouched():  # what these batches drew was drawn before
            batches = iter(self._loader)
            for _ in range(skip * self._size):
                next(batches, None)
        return self._own(batches)

    def _own(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Of each round of batches, one for every process, the own one; an unfinished round is left out."""
        if self._size == 1:
            return batches
        rounds = iter(lambda: tuple(islice(batches, self._size)), ())
        return (turn[self._rank] for turn in rounds if len(turn) == self._size)


def validation_batches(loader: DataLoader[Any], rank: int, size: int) -> Iterator[Any]:
    """The batches that one of several processes evaluates."""
    if size == 1:
        return iter(loader)
    if isinstance(loader.dataset, IterableDataset) or loader.batch_sampler is None:
        return islice(iter(loader), rank, None, size)
    order = list(loader.batch_sampler)[rank::size]
    return iter(
        DataLoader(
            loader.dataset,
            batch_sampler=order,
            num_workers=loader.num_workers,
            collate_fn=loader.collate_fn,
            pin_memory=loader.pin_memory,
        )
    )


def _mix(seed: int, epoch: int) -> int:
    return (seed * 1_000_003 + epoch) % 2**63
