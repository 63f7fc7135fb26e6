"""Independent trials: a number of them, each trained to the end, some at a time."""

from typing import Any

from etude.events import ExitReason
from etude_searcher.methods.method import NewTrial, SearchMethod
from etude_searcher.methods.operation import Close, Create, Operation


class IndependentTrials(SearchMethod):
    """What single, random and grid search have in common.

    Parameters
    ----------
    length : what each trial is trained for
    trials : how many trials
    concurrent : how many at a time; 0 means all
    """

    def __init__(self, length: int, trials: int, concurrent: int, new_trial: NewTrial) -> None:
        self._length = length
        self._trials = trials
        self._concurrent = concurrent or trials
        self._new_trial = new_trial
        self._created = 0
        self._over = 0

    def start(self) -> list[Operation]:
        return [self._create() for _ in range(min(self._concurrent, self._trials))]

    def validation_completed(self, trial_id: int, length: int, metric: float) -> list[Operation]:
        return [Close(trial_id), *self._next()]

    def trial_exited(self, trial_id: int, reason: ExitReason) -> list[Operation]:
        return self._next()

    def progress(self) -> float:
        return self._over / self._trials

    def snapshot(self) -> dict[str, Any]:
        return {"created": self._created, "over": self._over}

    def restore(self, snapshot: dict[str, Any]) -> None:
        self._created, self._over = snapshot["created"], snapshot["over"]

    def _next(self) -> list[Operation]:
        self._over += 1
        return [self._create()] if self._created < self._trials else []

    def _create(self) -> Operation:
        self._created += 1
        return Create(self._new_trial(), self._length)
