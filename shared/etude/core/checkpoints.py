"""Checkpoints: what a trial begins from, and what it saves while it trains on."""

import contextlib
import errno
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from etude.artifacts.checkpoint import (
    commit_checkpoint,
    earlier_checkpoints,
    fetch_checkpoint,
    remove_staging,
    staging_folder,
)
from etude.artifacts.disk import free_space, is_disk_full, retry_while_full
from etude.artifacts.errors import ArtifactError, DamagedError, MissingError
from etude.artifacts.places import CheckpointPlace
from etude.core.assignment import Assignment
from etude.core.distributed import Distributed
from etude.events import CheckpointReference, FileEntry, Length

_LITTLE = 2**16  # bytes
Saved = Callable[[CheckpointReference, list[FileEntry]], None]


class Checkpoints:
    """The checkpoints of one trial, under its lease.

    A damaged checkpoint is not begun from, but the one before it. Files are hashed and stored on a thread of its own
    while training goes on; :meth:`settle` waits for them.

    Parameters
    ----------
    saved : is told of each checkpoint once it is whole, on that thread

    Attributes
    ----------
    latest : the one that was saved last, or that training begins from
    assignment : whose lease may change, if the trial rests in memory
    """

    def __init__(self, assignment: Assignment, distributed: Distributed, saved: Saved) -> None:
        self.assignment = assignment
        self._distributed = distributed
        self._told = saved
        self._size = 0  # of the last one
        self._begun: set[str] = set()
        self._storing: Future[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="etude checkpoint")
        self._files = contextlib.ExitStack()
        self._folder: Path | None = None
        if distributed.chief:  # an earlier process of this trial may have been killed while it saved
            remove_staging(self._place(0).uri)
        self.latest = distributed.decide(self._find)
        if self.latest is not None and not distributed.chief:
            self._folder = self._files.enter_context(fetch_checkpoint(self.latest.uri))

    @contextlib.contextmanager
    def restore(self) -> Iterator[Path | None]:
        """The folder of the checkpoint to begin from, or None."""
        with self._files:
            yield self._folder

    @contextlib.contextmanager
    def save(self, length: int, metadata: Mapping[str, Any]) -> Iterator[Path]:
        """A folder to write into; what is there at the end is stored."""
        self.settle()
        a, unit = self.assignment, self.assignment.train_until.unit
        uri = self._place(length).uri
        if uri in self._begun:  # two within one epoch, say: what was reported with the first must stay what it was
            uri = self._place(length, copy=len(self._begun)).uri
        self._begun.add(uri)
        with contextlib.ExitStack() as kept:
            folder = retry_while_full(lambda: kept.enter_context(self._roomy_folder(uri)), _tell)
            with _full_disk_named(folder):
                yield folder
            about = {
                "experiment_id": a.experiment_id,
                "trial_id": a.trial_id,
                "lease_number": a.lease_number,
                "length": Length(unit=unit, amount=length),
                "metadata": dict(metadata),
            }
            self.latest = CheckpointReference(uri=uri, length=length)
            self._storing = self._thread.submit(self._store, folder, self.latest, about, kept.pop_all())

    def _place(self, length: int, copy: int = 0) -> CheckpointPlace:
        """Where a checkpoint of this lease goes."""
        a = self.assignment
        return CheckpointPlace(a.storage, a.experiment_id, a.trial_id, a.lease_number, length, copy)

    @contextlib.contextmanager
    def _roomy_folder(self, uri: str) -> Iterator[Path]:
        """A folder with space for a checkpoint like the last one: code that writes into it cannot wait for that."""
        with staging_folder(uri) as folder:
            if free_space(folder) < max(self._size, _LITTLE):
                raise OSError(errno.ENOSPC, f"too little space for a checkpoint on the disk of {folder.parent}")
            yield folder

    def settle(self) -> None:
        """Wait until what was saved is stored.

        Raises
        ------
        OSError, ArtifactError
            It could not be.
        """
        storing, self._storing = self._storing, None
        if storing is not None:
            storing.result()

    def _store(
        self, folder: Path, reference: CheckpointReference, about: dict[str, Any], kept: contextlib.ExitStack
    ) -> None:
        with kept:
            manifest = retry_while_full(lambda: commit_checkpoint(folder, reference.uri, **about), _tell)
        self._size = sum(entry.size for entry in manifest.files)
        self._told(reference, manifest.files)

    def _find(self) -> CheckpointReference | None:
        """The newest checkpoint that is whole, from the one that was assigned backwards."""
        assigned = self.assignment.checkpoint
        if assigned is None:
            return None
        try:
            self._folder = self._files.enter_context(fetch_checkpoint(assigned.uri))
        except (DamagedError, MissingError) as error:
            if assigned.foreign:
                raise
            return self._find_before(assigned, error)
        return assigned

    def _find_before(self, assigned: CheckpointReference, error: ArtifactError) -> CheckpointReference | None:
        for uri, manifest in earlier_checkpoints(assigned.uri):
            try:
                self._folder = self._files.enter_context(fetch_checkpoint(uri))
            except (DamagedError, MissingError):
                continue
            length = manifest.length.amount
            sys.stderr.write(f"{error}; going on from {uri}, at {length} {manifest.length.unit}\n")
            return CheckpointReference(uri=uri, length=length)
        if isinstance(error, MissingError):
            raise ArtifactError(f"{error}, and none before it; do all runners see the same checkpoint_storage?")
        sys.stderr.write(f"{error}; there is none before it, so this trial begins anew\n")
        return None


@contextlib.contextmanager
def _full_disk_named(folder: Path) -> Iterator[None]:
    """Whatever the code that writes a checkpoint raises (torch: ``unexpected pos 64 vs 0``) if the disk is full."""
    try:
        yield
    except Exception as error:
        if is_disk_full(error) or free_space(folder) < _LITTLE:
            raise ArtifactError(f"the checkpoint cannot be written: the disk of {folder.parent} is full") from error
        raise


def _tell(what: str) -> None:
    sys.stderr.write(f"the checkpoint is not stored yet: {what}\n")
