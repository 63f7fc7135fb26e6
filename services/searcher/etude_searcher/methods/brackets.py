"""Brackets: several searches in one, each with a share of trials and concurrency. A composition of methods."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from etude.config import Mode
from etude.events import ExitReason
from etude_searcher.methods.method import SearchMethod, UnchangeableError
from etude_searcher.methods.operation import Clone, Create, Operation

Weighted = tuple[SearchMethod, float]
"""A bracket, and its share of the whole for progress."""


class Brackets(SearchMethod):
    """Hands each result to the bracket that asked for it.

    Parameters
    ----------
    brackets : in the order in which they start
    """

    def __init__(self, brackets: Iterable[Weighted]) -> None:
        pairs = list(brackets)
        self.brackets = [bracket for bracket, _ in pairs]
        whole = sum(weight for _, weight in pairs)
        self._weights = [weight / whole for _, weight in pairs]
        self._bracket_of: dict[int, int] = {}

    def start(self) -> list[Operation]:
        return [op for number in range(len(self.brackets)) for op in self._ask(number, lambda b: b.start())]

    def validation_completed(self, trial_id: int, length: int, metric: float) -> list[Operation]:
        return self._ask(self._bracket_of[trial_id], lambda b: b.validation_completed(trial_id, length, metric))

    def trial_exited(self, trial_id: int, reason: ExitReason) -> list[Operation]:
        return self._ask(self._bracket_of[trial_id], lambda b: b.trial_exited(trial_id, reason))

    def trial_returned(self, trial_id: int) -> list[Operation]:
        return self._ask(self._bracket_of[trial_id], lambda b: b.trial_returned(trial_id))

    def change_each(self, configs: Sequence[Any]) -> list[Operation]:
        """Change every bracket, or none.

        Parameters
        ----------
        configs : of each bracket
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
        return operations

    def progress(self) -> float:
        """The brackets' own, weighted."""
        return sum(w * b.progress() for w, b in zip(self._weights, self.brackets, strict=True))

    def snapshot(self) -> dict[str, Any]:
        return {
            "brackets": [bracket.snapshot() for bracket in self.brackets],
            "bracket_of": list(self._bracket_of.items()),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        for bracket, state in zip(self.brackets, snapshot["brackets"], strict=True):
            bracket.restore(state)
        self._bracket_of = dict(snapshot["bracket_of"])

    def rungs_of(self, trial_id: int) -> tuple[int, list[int]]:
        number = self._bracket_of[trial_id]
        return number, self.brackets[number].rungs_of(trial_id)[1]

    def bracket_of(self, trial_id: int) -> int:
        """Number of the bracket that a trial is in, from 0."""
        return self._bracket_of[trial_id]

    def _ask(self, number: int, question: Callable[[SearchMethod], list[Operation]]) -> list[Operation]:
        operations = question(self.brackets[number])
        for reason in self.brackets[number].take_reasons():
            self.because(f"bracket {number + 1}: {reason}" if len(self.brackets) > 1 else reason)
        for operation in operations:
            if isinstance(operation, Create | Clone):
                self._bracket_of[operation.trial_id] = number
        return operations


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
