"""What the two kinds of successive halving share: rungs, who is where, and who is out."""

from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Any

from etude.events import CloseReason, ExitReason
from etude_searcher.methods.method import NewTrial, SearchMethod
from etude_searcher.methods.operation import Close, Continue, Create, Operation, Pause
from etude_searcher.methods.rung import WORST, Rung


class Halving(SearchMethod):
    """Trains many trials a little, and ever fewer of them further.

    A trial that fails for good counts as the worst possible result in its rung and, if it is promoted, above.

    Parameters
    ----------
    lengths : of the rungs, as totals
    concurrent : how many trials may train at a time
    new_trial : gives the numbers of new trials
    """

    def __init__(self, lengths: Sequence[int], concurrent: int, new_trial: NewTrial) -> None:
        self._concurrent = concurrent
        self._new_trial = new_trial
        self._rungs = [Rung(length) for length in lengths]
        self._rung_of: dict[int, int] = {}
        self._exited: set[int] = set()
        self._closed: set[int] = set()  # with those that exited
        self._promotions: deque[int] = deque()  # decided, and waiting for their turn
        self.created = 0
        """How many trials have been begun, without those that were replaced."""

    def validation_completed(self, trial_id: int, length: int, metric: float) -> list[Operation]:
        operations = self._enter(trial_id, metric) + self._settle()
        if not any(operation.trial_id == trial_id for operation in operations):
            operations.insert(0, Pause(trial_id))
        return operations

    def trial_exited(self, trial_id: int, reason: ExitReason) -> list[Operation]:
        self._exited.add(trial_id)
        self._closed.add(trial_id)
        if trial_id in self._promotions:
            self._promotions.remove(trial_id)
        operations: list[Operation] = []
        if reason is ExitReason.INVALID_HYPERPARAMETERS:
            for rung in self._rungs:
                rung.forget(trial_id)
            self.created -= 1
            operations = self._replace()
        elif trial_id in self._rungs[self._rung_of[trial_id]].outstanding:
            operations = self._enter(trial_id, WORST)
        return operations + self._settle()

    def trial_returned(self, trial_id: int) -> list[Operation]:
        """It goes back to where it failed, and nobody who was promoted since then is turned back."""
        self._exited.discard(trial_id)
        self._closed.discard(trial_id)
        failed = [k for k, rung in enumerate(self._rungs) if rung.failed(trial_id)]
        if not failed:  # it had all the results that were wanted of it
            return [Pause(trial_id), *self._settle()]
        for rung in self._rungs[failed[0] :]:
            rung.forget(trial_id)
        self._rung_of[trial_id] = failed[0]
        self._rungs[failed[0]].outstanding.add(trial_id)
        self._promotions.append(trial_id)
        return self._start_more() + self._settle()

    def rungs_of(self, trial_id: int) -> tuple[int, list[int]]:
        return 0, [rung.target for rung in self._rungs]

    def snapshot(self) -> dict[str, Any]:
        return {
            "rungs": [rung.snapshot() for rung in self._rungs],
            "rung_of": list(self._rung_of.items()),
            "exited": sorted(self._exited),
            "closed": sorted(self._closed),
            "promotions": list(self._promotions),
            "created": self.created,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        self._rungs = [Rung.restored(state) for state in snapshot["rungs"]]
        self._rung_of = dict(snapshot["rung_of"])
        self._exited = set(snapshot["exited"])
        self._closed = set(snapshot["closed"])
        self._promotions = deque(snapshot["promotions"])
        self.created = snapshot["created"]

    @abstractmethod
    def _enter(self, trial_id: int, metric: float) -> list[Operation]:
        """A result enters the rung that its trial is in."""

    @abstractmethod
    def _settle(self) -> list[Operation]:
        """What follows once a result has entered, or a trial has gone."""

    def _start_more(self) -> list[Operation]:
        """Let as many train as may."""
        return []  # settling does

    @abstractmethod
    def _replace(self) -> list[Operation]:
        """A trial called its hyperparameters invalid, and everything is as if it had never been."""

    def _training(self) -> int:
        """How many trials train now: those whose result is awaited, but for those that wait for their turn."""
        return sum(len(rung.outstanding) for rung in self._rungs) - len(self._promotions)

    def _next_promotion(self) -> Operation:
        """Let the trial train whose turn it is."""
        trial_id = self._promotions.popleft()
        return Continue(trial_id, self._rungs[self._rung_of[trial_id]].target)

    def _create(self) -> Operation:
        trial_id = self._new_trial()
        self.created += 1
        self._rung_of[trial_id] = 0
        self._rungs[0].outstanding.add(trial_id)
        return Create(trial_id, self._rungs[0].target)

    def _close(self, trial_id: int, reason: CloseReason) -> list[Operation]:
        if trial_id in self._closed:
            return []
        self._closed.add(trial_id)
        return [Close(trial_id, reason)]
