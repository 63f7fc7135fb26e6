"""Failures: how many trials failed in which way, and when a search has no chance any more. Pure."""

from collections import Counter
from typing import Any

from etude.events import ExitReason

_INVALID_IN_A_ROW = 10
_INVALID_SHARE = 0.9
_SAME_FAULT = 3


class Failures:
    """Counts the trials of one search that exited, and says when to give the search up.

    A model that calls everything invalid would be asked for new hyperparameters for ever; one whose code cannot run
    at all would fail as often as there are trials. As soon as something has worked, more is let pass.

    Parameters
    ----------
    max_failed_trials : trials that may be given up before the search fails; None for any number
    """

    def __init__(self, max_failed_trials: int | None = None) -> None:
        self.max_failed_trials = max_failed_trials
        self._has_worked = False
        self._invalid = 0
        self._invalid_in_a_row = 0
        self._failed = 0
        self._faults: Counter[str] = Counter()

    def record_result(self) -> None:
        """A trial has reported a usable result."""
        self._has_worked = True
        self._invalid_in_a_row = 0
        self._faults.clear()

    def record_exit(self, reason: ExitReason, detail: str, trials: int) -> str | None:
        """A trial exited; returns why the search is over, if it is.

        Parameters
        ----------
        trials : how many there have been
        """
        match reason:
            case ExitReason.INVALID_HYPERPARAMETERS:
                self._invalid += 1
                self._invalid_in_a_row += 1
                return self._judge_invalid(detail, trials)
            case ExitReason.RESTARTS_USED_UP | ExitReason.NOT_RETRYABLE:
                self._failed += 1
                if self.max_failed_trials is not None and self._failed > self.max_failed_trials:
                    return f"{self._failed} trials failed, and max_failed_trials is {self.max_failed_trials}: {detail}"
                return self._judge_fault(reason, detail)
        return None

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON values."""
        return {
            "has_worked": self._has_worked,
            "invalid": self._invalid,
            "invalid_in_a_row": self._invalid_in_a_row,
            "failed": self._failed,
            "faults": dict(self._faults),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over the state of a snapshot."""
        self._has_worked = snapshot["has_worked"]
        self._invalid, self._invalid_in_a_row = snapshot["invalid"], snapshot["invalid_in_a_row"]
        self._failed = snapshot["failed"]
        self._faults = Counter(snapshot["faults"])

    def _judge_invalid(self, detail: str, trials: int) -> str | None:
        if self._invalid_in_a_row < _INVALID_IN_A_ROW:
            return None
        if self._has_worked and self._invalid < _INVALID_SHARE * trials:
            return None
        return (
            f"the model called the hyperparameters of {self._invalid_in_a_row} trials in a row invalid "
            f"({self._invalid} of {trials} in all), the last because: {detail or 'no reason given'}; narrow the "
            "ranges, or say what is valid in constraints"
        )

    def _judge_fault(self, reason: ExitReason, detail: str) -> str | None:
        if self._has_worked or reason is not ExitReason.NOT_RETRYABLE:
            return None
        self._faults[detail] += 1
        if self._faults[detail] < _SAME_FAULT:
            return None
        return f"{_SAME_FAULT} trials failed alike, and none has worked: {detail or 'no reason given'}"
