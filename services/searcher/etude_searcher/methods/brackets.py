"""Brackets: several searches in one, each with a share of trials and concurrency. A composition of methods."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple
from typing import Any

from etude.config import Mode
from etude.events import ExitReason
from etude_searcher.methods.method import SearchMethod, UnchangeableError
from etude_searcher.methods.operation import Clone, Continue, Create, Operation, Pause

Weighted = tuple[SearchMethod, float]
"""A bracket, and its share of the whole for progress."""


class Brackets(SearchMethod):
    """Hands each result to the bracket that asked for it.

    The brackets share one limit of trials that train at a time. Each also has a share of its own, of at least one
    trial; where these add up to more than the limit, what a bracket wants is held back until a trial has ended.

    Parameters
    ----------
    brackets : in the order in which they start
    limit : trials of all brackets that train at a time; 0 for as many as the brackets want
    """

    def __init__(self, brackets: Iterable[Weighted], limit: int = 0) -> None:
        pairs = list(brackets)
        self._limit = limit or math.inf
        self._training: set[int] = set()
        self._held: deque[Create | Clone | Continue] = deque()
        self.brackets = [bracket for bracket, _ in pairs]
        whole = sum(weight for _, weight in pairs)
        self._weights = [weight / whole for _, weight in pairs]
        self._bracket_of: dict[int, int] = {}

    def start(self) -> list[Operation]:
        return self._admit(
            [op for number in range(len(self.brackets)) for op in self._ask(number, lambda b: b.start())]
        )

    def validation_completed(self, trial_id: int, length: int, metric: float) -> list[Operation]:
        self._training.discard(trial_id)
        wanted = self._ask(self._bracket_of[trial_id], lambda b: b.validation_completed(trial_id, length, metric))
        if self._limit < math.inf:  # whoever has just given a place free is asked first whether he keeps it
            wanted.sort(key=lambda operation: operation.trial_id != trial_id)
        operations = self._admit(wanted)
        if not any(operation.trial_id == trial_id for operation in operations):  # it goes on when it is its turn
            operations.insert(0, Pause(trial_id))
        return operations

    def trial_exited(self, trial_id: int, reason: ExitReason) -> list[Operation]:
        self._training.discard(trial_id)
        self._held = deque(operation for operation in self._held if operation.trial_id != trial_id)
        return self._admit(self._ask(self._bracket_of[trial_id], lambda b: b.trial_exited(trial_id, reason)))

    def trial_returned(self, trial_id: int) -> list[Operation]:
        return self._admit(self._ask(self._bracket_of[trial_id], lambda b: b.trial_returned(trial_id)))

    def change_each(self, configs: Sequence[Any], limit: int = 0) -> list[Operation]:
        """Change every bracket, or none.

        Parameters
        ----------
        configs : of each bracket
        limit : as for the constructor
        """
        if len(configs) != len(self.brackets):
            raise UnchangeableError("a longer max_length would have other brackets; create a new experiment")
        before = [bracket.snapshot() for bracket in self.brackets]
        operations: list[Operation] = []
        try:
            for number, config in enumerate(configs):
                operations += self._ask(number, lambda bracket, to=config: bracket.change(to))  # type: ignore[misc]
        except UnchangeableError:
            for bracket, snapshot in zip(self.brackets, before, strict=True):
                bracket.restore(snapshot)
            raise
        self._limit = limit or math.inf
        return self._admit(operations)

    def progress(self) -> float:
        """The brackets' own, weighted."""
        return sum(w * b.progress() for w, b in zip(self._weights, self.brackets, strict=True))

    def snapshot(self) -> dict[str, Any]:
        return {
            "brackets": [bracket.snapshot() for bracket in self.brackets],
            "bracket_of": list(self._bracket_of.items()),
            "training": sorted(self._training),
            "held": [_written(operation) for operation in self._held],
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        for bracket, state in zip(self.brackets, snapshot["brackets"], strict=True):
            bracket.restore(state)
        self._bracket_of = dict(snapshot["bracket_of"])
        if "training" not in snapshot:  # of an earlier version, which counted nothing
            self._limit = math.inf
        self._training = set(snapshot.get("training", ()))
        self._held = deque(map(_read, snapshot.get("held", ())))

    def rungs_of(self, trial_id: int) -> tuple[int, list[int]]:
        number = self._bracket_of[trial_id]
        return number, self.brackets[number].rungs_of(trial_id)[1]

    def bracket_of(self, trial_id: int) -> int:
        """Number of the bracket that a trial is in, from 0."""
        return self._bracket_of[trial_id]

    def _admit(self, wanted: Iterable[Operation]) -> list[Operation]:
        """What is done at once of what the brackets want; what is held back is done as soon as it can be."""
        operations: list[Operation] = []
        for operation in wanted:
            if isinstance(operation, Create | Clone | Continue):
                if self._held or len(self._training) >= self._limit:
                    self._held.append(operation)
                    continue
                self._training.add(operation.trial_id)
            else:
                self._training.discard(operation.trial_id)
            operations.append(operation)
        while self._held and len(self._training) < self._limit:
            admitted = self._held.popleft()
            self._training.add(admitted.trial_id)
            operations.append(admitted)
        return operations

    def _ask(self, number: int, question: Callable[[SearchMethod], list[Operation]]) -> list[Operation]:
        operations = question(self.brackets[number])
        for reason in self.brackets[number].take_reasons():
            self.because(f"bracket {number + 1}: {reason}" if len(self.brackets) > 1 else reason)
        for operation in operations:
            if isinstance(operation, Create | Clone):
                self._bracket_of[operation.trial_id] = number
        return operations


def _written(operation: Create | Clone | Continue) -> list[Any]:
    return [type(operation).__name__, *astuple(operation)]


def _read(written: list[Any]) -> Create | Clone | Continue:
    kinds: dict[str, Any] = {kind.__name__: kind for kind in (Create, Clone, Continue)}
    made: Create | Clone | Continue = kinds[written[0]](*written[1:])
    return made


def rungs_that_fit(length: int, divisor: float) -> int:
    """``floor(log_d(length)) + 1``, exactly.

    >>> rungs_that_fit(64, 4), rungs_that_fit(63, 4), rungs_that_fit(1, 4)
    (4, 3, 1)
    """
    rungs = 1
    while divisor**rungs <= length:
        rungs += 1
    return rungs


def bracket_rungs(most: int, mode: Mode) -> list[int]:
    """How many rungs each bracket has, most first.

    >>> bracket_rungs(5, "conservative"), bracket_rungs(5, "standard"), bracket_rungs(5, "aggressive")
    ([5, 4, 3, 2, 1], [5, 4, 3], [5])
    """
    fewest = {"conservative": 1, "standard": (most - 1) // 2 + 1, "aggressive": most}[mode]
    return list(range(most, fewest - 1, -1))


def shared_evenly(amount: int, count: int) -> list[int]:
    """An amount in equal parts, the remainder from the first.

    >>> shared_evenly(11, 3)
    [4, 4, 3]
    """
    part, rest = divmod(amount, count)
    return [part + (number < rest) for number in range(count)]


def shared_by_weight(amount: int, weights: Sequence[float], at_least: Sequence[int] | None = None) -> list[int]:
    """An amount in proportion, floored, at least 1 each (or as given), the remainder to the first.

    If the least parts leave too little for others, these are cut where they exceed their own least the most.

    >>> shared_by_weight(20, [3, 1.5, 1]), shared_by_weight(20, [3, 1.5, 1], at_least=[1, 1, 5])
    ([12, 5, 3], [10, 5, 5])
    """
    least = at_least or [1] * len(weights)
    parts = [max(int(amount * weight / sum(weights)), part) for weight, part in zip(weights, least, strict=True)]
    for _ in range(min(sum(parts) - amount, sum(parts) - sum(least))):
        largest = max(range(len(parts)), key=lambda number: parts[number] - least[number])
        parts[largest] -= 1
    parts[0] += max(amount - sum(parts), 0)
    return parts
