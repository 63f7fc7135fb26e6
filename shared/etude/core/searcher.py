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
    """Train until ``length``, a total in ``unit``; then report a validation at that length."""

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
        """True when training should save its state and end."""
        self._stopping = self._stopping or self._distributed.decide(lambda: self._wanted_back)
        return self._stopping

    def operations(self) -> Iterator[Operation]:
        """One target after another; ends when the search has no more for this trial.

        Raises
        ------
        CoreError
            No validation was reported at the target of the operation before.
        """
        while (target := self._distributed.decide(self._next_target)) is not None:
            yield Operation(target, self._unit)
            if self._validated < target:
                if self._stopping or (self._wanted_back and self._distributed.size == 1):
                    return
                raise CoreError(
                    f"no validation was reported at {target} {self._unit}; "
                    "call run.report_validation(operation.length, metrics) at the end of each operation"
                )

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
            if self._target <= self._validated and not self._wanted_back:
                self._link.send({"say": "waiting", "length": {self._unit.value: self._validated}})
            self._changed.wait_for(lambda: self._wanted_back or self._target > self._validated)
            return None if self._wanted_back else self._target
