"""Asking: the questions to a custom search method, one at a time, and whether its answers make sense. Pure."""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from etude.events import (
    AskCause,
    Event,
    Length,
    OperationKind,
    SearchAnswered,
    SearchAsked,
    SearchOperation,
    TrialExited,
    ValidationCompleted,
)
from etude_searcher.methods import Close, Continue, Create, Operation, Pause
from etude_searcher.trial import Trial


class NonsenseError(ValueError):
    """A custom method's answer that cannot be carried out; the message says which operation, and why."""


class Asking:
    """The question that is out, and those that wait for its answer.

    Parameters
    ----------
    method : name of the custom method
    """

    def __init__(self, method: str) -> None:
        self.out: SearchAsked | None = None
        self._method = method
        self._state: Any = None
        self._waiting: deque[dict[str, Any]] = deque()

    def about(self, cause: Event, number: int, config: dict[str, Any], trials: Mapping[int, Trial]) -> list[Event]:
        """Ask about an event, or remember to."""
        told: dict[str, Any] = {"cause": AskCause.STARTED.value}
        match cause:
            case ValidationCompleted():
                told = {
                    "cause": AskCause.VALIDATION_COMPLETED.value,
                    "trial_id": cause.trial_id,
                    "length": cause.to_json()["length"],
                    "metrics": cause.to_json()["metrics"],
                }
            case TrialExited():
                told = {
                    "cause": AskCause.TRIAL_EXITED.value,
                    "trial_id": cause.trial_id,
                    "exit_reason": cause.reason.value,
                }
        if "trial_id" in told:
            told["hyperparameters"] = trials[told["trial_id"]].hyperparameters
        self._waiting.append(told)
        return self.next(number, config) if self.out is None else []

    def answered(self, answer: SearchAnswered) -> None:
        """The question that is out has its answer."""
        self.out = None
        self._state = answer.state

    def next(self, number: int, config: dict[str, Any]) -> list[Event]:
        """Ask what waits longest, if anything does."""
        if not self._waiting:
            return []
        told = self._waiting.popleft()
        self.out = SearchAsked.model_validate(
            {**told, "ask": number, "method": self._method, "config": config, "state": self._state}
        )
        return [self.out]

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON values."""
        return {
            "out": self.out.to_json() if self.out else None,
            "state": self._state,
            "waiting": list(self._waiting),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take over the state of a snapshot."""
        self.out = SearchAsked.model_validate(snapshot["out"]) if snapshot["out"] else None
        self._state = snapshot["state"]
        self._waiting = deque(snapshot["waiting"])


def operations(
    answer: SearchAnswered, trials: Mapping[int, Trial], next_trial: int, longest: Length
) -> Iterator[tuple[Operation, SearchOperation]]:
    """An answer's operations, each checked against what the ones before it have led to.

    Raises
    ------
    NonsenseError
        One cannot be carried out.
    """
    free = {number: trial.target for number, trial in trials.items() if trial.open and not trial.training}
    for place, wish in enumerate(answer.operations):
        number, length = wish.trial_id, wish.length
        if length is not None and length.unit is not longest.unit:
            raise NonsenseError(f"operation {place}: length is in {length.unit}; this search counts {longest.unit}")
        match wish.operation:
            case OperationKind.CREATE:
                if length is None or length.amount < 1:
                    raise NonsenseError(f"operation {place}: create needs a length of at least 1")
                if number not in (None, next_trial):
                    raise NonsenseError(f"operation {place}: the next trial is number {next_trial}, not {number}")
                yield Create(next_trial, length.amount), wish
                next_trial += 1
                continue
            case OperationKind.CONTINUE if number in free:
                if length is None or length.amount <= free[number]:
                    raise NonsenseError(
                        f"operation {place}: trial {number} is at {free[number]}; continue it to a length above that"
                    )
                yield Continue(number, length.amount), wish
            case OperationKind.PAUSE if number in free:
                yield Pause(number), wish
                continue
            case OperationKind.CLOSE if number in free:
                yield Close(number, wish.reason), wish
            case _:
                raise NonsenseError(
                    f"operation {place}: trial {number} cannot be asked to {wish.operation}; "
                    f"those that wait for an answer are {sorted(free) or 'none'}"
                )
        assert number is not None
        del free[number]
