"""Run: one trial from the inside. What training code asks, reports and saves."""

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from etude.artifacts import ArtifactError
from etude.artifacts.places import CheckpointPlace
from etude.core.assignment import Assignment
from etude.core.checkpoints import Checkpoints
from etude.core.distributed import Distributed
from etude.core.errors import CoreError
from etude.core.facets import CheckpointStore, Preempt, Train
from etude.core.link import Link, Message
from etude.core.metrics import check_searched_metric, split_metrics, to_wire
from etude.core.searcher import Searcher
from etude.events import CheckpointReference, FileEntry, Hyperparameters
from etude.names import MISSING, find


class Run:
    """A trial that runs.

    Attributes
    ----------
    searcher : the targets of the trial
    length : how much training the latest checkpoint holds, 0 for a new trial
    distributed : the processes of this trial. All of them make the same calls; the first one alone is heard
    train, checkpoint, preempt : the same under the names of Determined's core API
    """

    def __init__(self, assignment: Assignment, link: Link) -> None:
        self.assignment = assignment
        self.distributed = Distributed.of(assignment)
        self.searcher = Searcher(link, assignment.train_until, self.distributed)
        self._link = link
        self._unit = assignment.train_until.unit
        self._checkpoints = Checkpoints(assignment, self.distributed, self._saved)
        self._metric = _searched_metric(assignment)
        self._left_out: set[str] = set()
        self._began = time.monotonic()
        self.train, self.checkpoint, self.preempt = Train(self), CheckpointStore(self), Preempt(self)
        link.listen(self._heard)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait until everything is stored, also what was saved before a failure."""
        with contextlib.suppress(*((OSError, ArtifactError) if kind else ())):
            self.close()

    @property
    def length(self) -> int:
        """How much training the latest checkpoint holds."""
        latest = self._checkpoints.latest
        return latest.length if latest else 0

    @property
    def starts_from_another(self) -> bool:
        """Is the checkpoint to start from another trial's? Then its state is taken over, and lengths count from 0."""
        latest = self._checkpoints.latest
        return latest is not None and latest.foreign

    @property
    def hyperparameters(self) -> Hyperparameters:
        """All hyperparameters of this trial."""
        return self.assignment.hyperparameters

    @property
    def trial_seed(self) -> int:
        """A seed of this trial's own."""
        return self.assignment.trial_seed

    @property
    def data(self) -> Any:
        """The ``data`` section of the configuration."""
        return self.assignment.config.get("data")

    def get_hparam(self, name: str) -> Any:
        """A hyperparameter by name; dots lead into nested ones, or are part of the name.

        Raises
        ------
        CoreError
            There is none of that name; those that there are are listed.
        """
        value = find(self.hyperparameters, name.split("."))
        if value is MISSING:
            raise CoreError(
                f"there is no hyperparameter {name!r}; the configuration has: {', '.join(sorted(self.hyperparameters))}"
            )
        return value

    def should_stop(self) -> bool:
        """True when the slots are wanted back: save a checkpoint and leave the training loop.

        Once a validation was reported at the operation's length or beyond it, this waits for the search's decision.
        """
        return self.searcher.stopping

    def report_training(self, length: int, metrics: Mapping[str, Any]) -> None:
        """Report training metrics after ``length`` of training; those that are no numbers are left out."""
        numbers, information = split_metrics(metrics)
        told = {"say": "training", "length": self._wire(length), "metrics": to_wire(numbers), "time": time.time()}
        if self.distributed.chief:
            self._warn_left_out(information)
            self._link.send(told)

    def report_validation(self, length: int, metrics: Mapping[str, Any]) -> None:
        """Report validation metrics after ``length`` of training.

        The first report at an operation's length, or beyond it, completes it; one below it decides nothing. Numbers
        are what :func:`etude.core.metrics.read_number` takes for such; the rest is kept beside them as information.

        Raises
        ------
        MetricError
            The metric that the search is for is no number.
        """
        numbers, information = split_metrics(metrics)
        if self._metric is not None:
            check_searched_metric(self._metric, information)
        self._checkpoints.settle()
        latest = self._checkpoints.latest
        checkpoint = latest if latest and latest.length == length else None
        told = {
            "say": "validation",
            "length": self._wire(length),
            "metrics": to_wire(numbers),
            "information": information,
            "checkpoint": _told(checkpoint) if checkpoint and not checkpoint.foreign else None,
            "seconds": time.monotonic() - self._began,
        }
        if self.distributed.chief:
            self._link.send(told)
        self.searcher.validated(length)

    @contextlib.contextmanager
    def save_checkpoint(self, length: int, metadata: Mapping[str, Any] | None = None) -> Iterator[Path]:
        """A folder to write state into; at the end of the context it becomes the trial's latest checkpoint.

        Save before you report the validation at the same length, so that the two are known to belong together. It is
        stored while you go on; the next report of a validation, or the end, waits for that. Of several processes the
        first one's files are kept; what others write is dropped.
        """
        if not self.distributed.chief:
            with tempfile.TemporaryDirectory(prefix="etude-rank-") as name:
                yield Path(name)
        else:
            about = {"hyperparameters": self.hyperparameters, **(metadata or {})}
            with self._checkpoints.save(length, about) as folder:
                yield folder
        self._checkpoints.latest = self.distributed.broadcast(self._checkpoints.latest)

    @contextlib.contextmanager
    def restore_checkpoint(self) -> Iterator[Path | None]:
        """The folder of the checkpoint to start from, or None for a new trial."""
        with self._checkpoints.restore() as folder:
            yield folder

    def close(self) -> None:
        """Wait until everything is stored; to be called at the end.

        Raises
        ------
        OSError, ArtifactError
            The last checkpoint could not be stored.
        """
        self._checkpoints.settle()

    def _heard(self, message: Message) -> None:
        """An order of the runner. One that wakes a trial which rested in memory comes with another lease."""
        if message["do"] == "resume":
            self._began = time.monotonic()
            self.assignment = self.assignment.model_copy(update={"lease_number": message["lease_number"]})
            self._checkpoints.assignment = self.assignment
            message = {"do": "extend", "train_until": message["train_until"]}
        self.searcher.heard(message)

    def _saved(self, reference: CheckpointReference, files: list[FileEntry]) -> None:
        told = {"say": "checkpoint", "length": self._wire(reference.length), **_told(reference)}
        self._link.send({**told, "files": [entry.to_json() for entry in files]})

    def _warn_left_out(self, information: Iterable[str]) -> None:
        for name in set(information) - self._left_out:
            self._left_out.add(name)
            sys.stderr.write(f"training metric {name!r} is no number, and is left out\n")

    def _wire(self, length: int) -> dict[str, int]:
        return {self._unit.value: int(length)}


def _told(reference: CheckpointReference) -> dict[str, int]:
    """What the runner needs to know of a checkpoint of this trial, to find its place."""
    place = CheckpointPlace.of(reference.uri)
    return {"lease": place.lease_number, "reached": place.length, "copy": place.copy}


def _searched_metric(assignment: Assignment) -> str | None:
    """That of the configuration; a script that is started by hand has none."""
    searcher = assignment.config.get("searcher")
    metric = searcher.get("metric") if isinstance(searcher, Mapping) else None
    return metric if isinstance(metric, str) else None
