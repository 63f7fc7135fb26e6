"""Independent trials: a number of them, each trained to the end, some at a time."""

from typing import Any

from etude.events import ExitReason
from etude_searcher.methods.method import NewTrial, SearchMethod, UnchangeableError
from etude_searcher.methods.operation import Close, Continue, Create, Operation


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
        self._training = 0
        self._finished: list[int] = []  # trained to the end
        self._again: list[int] = []  # to be trained further or again, and waiting for their turn

    def start(self) -> list[Operation]:
        return self._fill()

    def validation_completed(self, trial_id: int, length: int, metric: float) -> list[Operation]:
        if length < self._length:  # it began before the end became a later one
            return [Continue(trial_id, self._length)]
        self._training -= 1
        self._finished.append(trial_id)
        return [Close(trial_id), *self._fill()]

    def trial_exited(self, trial_id: int, reason: ExitReason) -> list[Operation]:
        self._training -= 1
        return self._fill()

    def trial_returned(self, trial_id: int) -> list[Operation]:
        self._again.append(trial_id)
        return self._fill()

    def change(self, config: Any) -> list[Operation]:
        trials = getattr(config, "max_trials", self._trials)
        if trials < self._created or config.max_length.amount < self._length:
            raise UnchangeableError(
                f"{self._created} trials of {self._length} {config.max_length.unit} have been begun; "
                "max_trials and max_length can only grow"
            )
        if config.max_length.amount > self._length:
            self._again += self._finished
            self._finished = []
        self._length, self._trials = config.max_length.amount, trials
        self._concurrent = config.max_concurrent_trials or trials
        return self._fill()

    def progress(self) -> float:
        return (self._created - self._training - len(self._again)) / self._trials

    def snapshot(self) -> dict[str, Any]:
        return {
            "created": self._created,
            "training": self._training,
            "finished": self._finished,
            "again": self._again,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        self._created, self._training = snapshot["created"], snapshot["training"]
        self._finished, self._again = list(snapshot["finished"]), list(snapshot["again"])

    def _fill(self) -> list[Operation]:
        operations: list[Operation] = []
        while self._training < self._concurrent and self._again:
            operations.append(Continue(self._again.pop(0), self._length))
            self._training += 1
        while self._training < self._concurrent and self._created < self._trials:
            operations.append(Create(self._new_trial(), self._length))
            self._created += 1
            self._training += 1
        return operations
