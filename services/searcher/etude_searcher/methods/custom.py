"""Custom: the method runs outside, and answers by events. Here is only what it said last."""

from typing import Any

from etude.config import CustomConfig
from etude.events import ExitReason
from etude_searcher.methods.method import NewTrial, SearchMethod
from etude_searcher.methods.operation import Operation


class CustomSearch(SearchMethod):
    """Decides nothing; see :mod:`etude_searcher.asking`.

    Attributes
    ----------
    over : the method has said that the search is
    """

    def __init__(self, config: CustomConfig, new_trial: NewTrial, points: int | None = None) -> None:
        self.over = False
        self._progress = 0.0

    def start(self) -> list[Operation]:
        return []

    def validation_completed(self, trial_id: int, length: int, metric: float) -> list[Operation]:
        return []

    def trial_exited(self, trial_id: int, reason: ExitReason) -> list[Operation]:
        return []

    def heard(self, progress: float | None, finished: bool) -> None:
        """The method says how far it is."""
        self._progress = self._progress if progress is None else progress
        self.over = self.over or finished

    def progress(self) -> float:
        return self._progress

    def snapshot(self) -> dict[str, Any]:
        return {"over": self.over, "progress": self._progress}

    def restore(self, snapshot: dict[str, Any]) -> None:
        self.over, self._progress = snapshot["over"], snapshot["progress"]
