"""Follower: the search as seen from a training loop that somebody else drives."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from etude.core.errors import CoreError
from etude.core.metrics import read_number, split_metrics
from etude.core.run import Run
from etude.core.searcher import Operation
from etude.events import Length, Unit

Save = Callable[[Path], None]
"""Writes the state of training into a folder."""


class Follower:
    """Says when to validate and when to end, saves checkpoints, and reports.

    Parameters
    ----------
    run : the trial
    units : in which the loop counts; a search in another is refused

    Attributes
    ----------
    owing : is the checkpoint where the search wants a validation that was not reported? So it is if the process that
        saved it was killed in the next moment. Then validate before anything is trained

    Raises
    ------
    CoreError
        The search's lengths are in a unit that the loop does not count.
    """

    def __init__(self, run: Run, units: tuple[Unit, ...] = (Unit.BATCHES, Unit.EPOCHS)) -> None:
        self.run = run
        self.unit = run.assignment.train_until.unit
        if self.unit not in units:
            raise CoreError(
                f"lengths in {self.unit} are not counted here; say searcher.max_length in {' or '.join(units)}"
            )
        config = run.assignment.config
        searcher = _mapping(config.get("searcher"))
        self._metric = str(searcher.get("metric"))
        self._sign = 1 if searcher.get("smaller_is_better", True) else -1
        self._longest = self._period(searcher.get("max_length"))
        self._policy = config.get("checkpoint_policy", "best")
        self._validate_every = self._period(config.get("min_validation_period"))
        self._best = math.inf
        self._operations = run.searcher.operations()
        self._operation: Operation | None = next(self._operations, None)
        self.owing = not self.done and not run.starts_from_another and 0 < self.target <= run.length

    @property
    def done(self) -> bool:
        """Has the search no more training for this trial?"""
        return self._operation is None

    @property
    def target(self) -> int:
        """The length to train to next; where training is, if nothing more is wanted."""
        return self._operation.length if self._operation else self.run.length

    @property
    def longest(self) -> int:
        """The length that the trial may reach at all, as far as that is known; for learning rates that depend on it."""
        return max(self._longest, self.target)

    def due(self, length: int) -> bool:
        """Is a validation wanted at this length?"""
        return length >= self.target or bool(self._validate_every and length % self._validate_every == 0)

    def trained(self, length: int, metrics: Mapping[str, Any]) -> None:
        """Report training metrics, those of them that are numbers."""
        self.run.report_training(length, split_metrics(metrics)[0])

    def validated(self, length: int, metrics: Mapping[str, Any], save: Save | None) -> bool:
        """Report a validation, with a checkpoint if one is due; returns whether to train on.

        Parameters
        ----------
        save : None if there is a checkpoint of this length

        Raises
        ------
        CoreError
            The metric that the search is for is not among them, or no number.
        """
        self.owing = False
        if length < self.target:
            self._validated_on_the_way(length, metrics, save)
            return True
        if self._metric not in metrics and self.run.assignment.config:
            given = ", ".join(sorted(split_metrics(metrics)[0])) or "nothing"
            raise CoreError(f"searcher.metric is {self._metric!r}, and validation gives only: {given}")
        self._save(length, save)
        self.run.report_validation(length, metrics)
        self._operation = next(self._operations, None)
        return not self.done

    def wanted_back(self, length: int, save: Save) -> bool:
        """Are the slots wanted back? Then a checkpoint is saved, and training must end."""
        if not self.run.should_stop():
            return False
        self._save(length, save)
        self._operation = None
        return True

    def _validated_on_the_way(self, length: int, metrics: Mapping[str, Any], save: Save | None) -> None:
        """A validation that the search did not ask for; with a checkpoint, if ``checkpoint_policy`` wants one."""
        number = read_number(metrics.get(self._metric))
        value = math.nan if number is None else number * self._sign
        better = self._policy == "all" or (self._policy == "best" and value < self._best)
        if self.run.distributed.decide(lambda: better):
            self._save(length, save)
        self._best = min(self._best, value)
        self.run.report_validation(length, metrics)

    def _save(self, length: int, save: Save | None) -> None:
        if save is None:
            return
        with self.run.save_checkpoint(length) as folder:
            save(folder)

    def _period(self, value: Any) -> int:
        """A length of the configuration in our unit; 0 if there is none, or in another unit."""
        length = Length.model_validate(value) if value else None
        return length.amount if length and length.unit is self.unit else 0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
