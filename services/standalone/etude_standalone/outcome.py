"""Outcome: how a run on this machine ended."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """The end of a run.

    Attributes
    ----------
    state : of the experiment
    best : ``{"trial_id", "metric", "value", "hyperparameters", "length", "checkpoint"}``, or None
    """

    experiment_id: str
    state: str
    trials: int
    best: dict[str, Any] | None
    reason: str | None = None

    @property
    def exit_code(self) -> int:
        """0 for a completed search, 130 for one that was interrupted, 1 for any other end."""
        return {"completed": 0, "paused": 130}.get(self.state, 1)

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        told = {
            "experiment_id": self.experiment_id,
            "state": self.state,
            "trials": self.trials,
            "best": self.best,
        }
        return told if self.reason is None else {**told, "reason": self.reason}
