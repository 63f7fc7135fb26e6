"""Searcher: how far the search wants this trial to be trained, as its training code sees it."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from etude.core.distributed import Distributed
from etude.core.errors import CoreError
from etude.core.link import Link, Message
from etude.events import Length, Unit


@dataclass(frozen=True)
class Operation:
    """Train until ``length``, a total in ``unit``, or somewhat beyond; then report a validation there."""

    length: int
    unit: Unit


class Searcher:
    """The targets of one trial, as they come in; its first process hears of them, and the others ask that one."""

    def __init__(self, link: Link, target: Length, distributed: Distributed) -> None:
        self._link = link
        self._unit = target.unit
        self._target = target.amount
        self._distributed = distributed
        self._validated = -1
        self._wanted_back = False
        self._stopping = False
        self._changed = threading.Condition()

    @property
    def stopping(self) -> bool:
        """True when training should save its state and end.

        Once a validation was reported at the target or beyond it, this waits for the decision of the search: a script
        that does not ask for operations would train on otherwise, on slots that others want.
        """
        self._stopping = self._stopping or self._distributed.decide(self._decide_stopping)
        return self._stopping

    def operations(self) -> Iterator[Operation]:
        """One target after another; ends when the search has no more for this trial.

        Raises
        ------
        CoreError
            No validation was reported at the target of the operation before, or beyond it.
        """
        while (target := self._distributed.decide(self._next_target)) is not None:
            yield Operation(target, self._unit)
            if self._validated < target:
                if self._stopping or (self._wanted_back and self._distributed.size == 1):
                    return
                raise CoreError(
                    f"no validation was reported at {target} {self._unit}{self._describe_latest()}; "
                    "call run.report_validation(operation.length, metrics) at the end of each operation"
                )

    def _describe_latest(self) -> str:
        return f", the last one was at {self._validated}" if self._validated >= 0 else ""

    def validated(self, length: int) -> None:
        """A validation was reported."""
        self._validated = max(self._validated, length)

    def heard(self, message: Message) -> None:
        """A message of the runner has come."""
        with self._changed:
            if message["do"] == "extend":
                self._target = max(self._target, Length.model_validate(message["train_until"]).amount)
            elif message["do"] == "stop":
                self._wanted_back = True
            self._changed.notify_all()

    def _next_target(self) -> int | None:
        """The next length to train to, once the search has decided; None if there is none."""
        with self._changed:
            self._await_decision()
            return None if self._wanted_back else self._target

    def _decide_stopping(self) -> bool:
        with self._changed:
            self._await_decision()
            return self._wanted_back

    def _await_decision(self) -> None:
        """Return at once if there is something to train for."""
        if self._target <= self._validated and not self._wanted_back:
            self._link.send({"say": "waiting", "length": {self._unit.value: self._validated}})
        self._changed.wait_for(lambda: self._wanted_back or self._target > self._validated)
