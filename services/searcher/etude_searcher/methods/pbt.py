"""Population based training (Jaderberg et al., 2017): the worst are replaced by explored copies of the best."""

import math
from collections import deque
from typing import Any

from etude.config import PbtConfig
from etude.events import CloseReason, ExitReason
from etude_searcher.methods.method import NewTrial, SearchMethod, UnchangeableError
from etude_searcher.methods.operation import Clone, Close, Continue, Create, Operation, Pause

_Turn = tuple[int | None, int | None]
"""A trial that goes on, or None for a new one; and the trial that a new one is cloned from, if any."""


class PopulationBasedTraining(SearchMethod):
    """A population trains in rounds of ``length_per_round``.

    After a round the worst ``floor(truncate_fraction * population_size)`` trials, and those that failed, are closed,
    and as many of the best are cloned: a clone begins from the checkpoint of the trial that it copies, with its
    hyperparameters explored, and its lengths count from there.
    """

    def __init__(self, config: PbtConfig, new_trial: NewTrial, points: int | None = None) -> None:
        self._size = config.population_size
        self._length = config.length_per_round.amount
        self._rounds = config.num_rounds
        self._replaced = math.floor(config.replace_function.truncate_fraction * self._size)
        self._concurrent = config.max_concurrent_trials or self._size
        self._new_trial = new_trial
        self._round = 0
        self._age: dict[int, int] = {}  # rounds that each trial of the population has trained
        self._waiting: deque[_Turn] = deque()  # for their turn in this round
        self._training: set[int] = set()
        self._results: list[tuple[float, int]] = []  # of this round, in order of arrival
        self._failed = 0  # in this round

    def start(self) -> list[Operation]:
        self._waiting.extend([(None, None)] * self._size)
        return self._fill()

    def validation_completed(self, trial_id: int, length: int, metric: float) -> list[Operation]:
        self._training.discard(trial_id)
        self._age[trial_id] += 1
        self._results.append((metric, trial_id))
        operations = self._go_on()
        if not any(operation.trial_id == trial_id for operation in operations):
            operations.insert(0, Pause(trial_id))
        return operations

    def trial_exited(self, trial_id: int, reason: ExitReason) -> list[Operation]:
        del self._age[trial_id]
        paused = trial_id not in self._training
        self._training.discard(trial_id)
        if paused:
            self._results = [result for result in self._results if result[1] != trial_id]
            self._waiting = deque(turn for turn in self._waiting if turn[0] != trial_id)
        if reason is ExitReason.INVALID_HYPERPARAMETERS and self._round == 0:
            self._waiting.append((None, None))
        else:
            self._failed += 1
        return self._go_on()

    def trial_returned(self, trial_id: int) -> list[Operation]:
        raise UnchangeableError("a copy of a better trial is in the place of one that failed; create a new experiment")

    def change(self, config: PbtConfig) -> list[Operation]:
        """More or fewer at a time."""
        if config.population_size != self._size or config.num_rounds != self._rounds:
            raise UnchangeableError("of population based training only max_concurrent_trials can be changed")
        self._concurrent = config.max_concurrent_trials or self._size
        return self._fill()

    def progress(self) -> float:
        done = self._round * self._size + len(self._results) + self._failed
        return min(done / (self._rounds * self._size), 1.0)

    def snapshot(self) -> dict[str, Any]:
        return {
            "round": self._round,
            "age": list(self._age.items()),
            "waiting": [list(turn) for turn in self._waiting],
            "training": sorted(self._training),
            "results": [list(result) for result in self._results],
            "failed": self._failed,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        self._round = snapshot["round"]
        self._age = dict(snapshot["age"])
        self._waiting = deque((trial, source) for trial, source in snapshot["waiting"])
        self._training = set(snapshot["training"])
        self._results = [(metric, trial) for metric, trial in snapshot["results"]]
        self._failed = snapshot["failed"]

    def _go_on(self) -> list[Operation]:
        operations: list[Operation] = []
        if not self._training and not self._waiting:
            operations = self._end_round()
        return operations + self._fill()

    def _end_round(self) -> list[Operation]:
        """Close the worst, clone the best, and let all train on."""
        self._round += 1
        ranked = [trial for _, trial in sorted(self._results, key=lambda result: result[0])]
        self._results = []
        failed, self._failed = self._failed, 0
        if self._round >= self._rounds or not ranked:
            return [Close(trial, CloseReason.FINISHED) for trial in ranked]
        surplus = max(self._replaced - failed, 0)  # those that failed are replaced first
        self.because(
            f"round {self._round} is over: the worst {surplus} of {len(ranked)} are replaced, and {failed} that failed"
        )
        survivors, worst = ranked[: len(ranked) - surplus], ranked[len(ranked) - surplus :]
        # clones first: while they wait for their turn, no source trains on from the checkpoint that they begin from
        self._waiting.extend((None, survivors[n % len(survivors)]) for n in range(len(worst) + failed))
        self._waiting.extend((trial, None) for trial in survivors)
        for trial in worst:
            del self._age[trial]
        return [Close(trial, CloseReason.STOPPED) for trial in worst]

    def _fill(self) -> list[Operation]:
        operations: list[Operation] = []
        while self._waiting and len(self._training) < self._concurrent:
            operation = self._take_turn(*self._waiting.popleft())
            self._training.add(operation.trial_id)
            operations.append(operation)
        return operations

    def _take_turn(self, trial_id: int | None, source: int | None) -> Operation:
        if trial_id is not None:
            return Continue(trial_id, (self._age[trial_id] + 1) * self._length)
        trial_id = self._new_trial()
        self._age[trial_id] = 0
        return Create(trial_id, self._length) if source is None else Clone(trial_id, self._length, source)
