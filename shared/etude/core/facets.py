"""Facets: a run under the names that Determined's core API has, for scripts that were written for it."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etude.core.errors import InvalidHyperparameters

if TYPE_CHECKING:
    from etude.core.run import Run


class Train:
    """What a trial reports."""

    def __init__(self, run: "Run") -> None:
        self._run = run

    def report_training_metrics(self, steps_completed: int, metrics: Mapping[str, Any]) -> None:
        """Report training metrics after ``steps_completed`` of training."""
        self._run.report_training(steps_completed, metrics)

    def report_validation_metrics(self, steps_completed: int, metrics: Mapping[str, Any]) -> None:
        """Report validation metrics; at an operation's length this completes it."""
        self._run.report_validation(steps_completed, metrics)

    def invalid_hyperparameters(self, detail: str = "") -> None:
        """These hyperparameters make no sense: ends the trial, and the search replaces it."""
        raise InvalidHyperparameters(detail)


class CheckpointStore:
    """What a trial saves."""

    def __init__(self, run: "Run") -> None:
        self._run = run

    @contextlib.contextmanager
    def store_path(self, metadata: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
        """A folder to write into, and a name for the checkpoint.

        Parameters
        ----------
        metadata : must have ``steps_completed``
        """
        length = int(metadata["steps_completed"])
        with self._run.save_checkpoint(length, metadata) as folder:
            yield folder, f"{self._run.assignment.trial_id}-{self._run.assignment.lease_number}-{length}"

    @contextlib.contextmanager
    def restore_path(self, name: str | None = None) -> Iterator[Path | None]:
        """The folder of the checkpoint to begin from, or None for a new trial; whichever name is given."""
        with self._run.restore_checkpoint() as folder:
            yield folder


class Preempt:
    """Whether the slots are wanted back."""

    def __init__(self, run: "Run") -> None:
        self._run = run

    def should_preempt(self) -> bool:
        """True when it is time to save a checkpoint and leave the training loop."""
        return self._run.should_stop()
