"""Fleet: the runners of a pool, what they hold, and which of them are lost. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from etude.events import RunnerHeartbeat, RunnerJoined, Slot
from etude_scheduler.execution import Execution, Key


@dataclass
class Runner:
    """One machine; a document of the ``runners`` collection."""

    runner_id: str
    pool: str
    session: str
    slots: list[Slot]
    labels: list[str]
    host: str
    last_heartbeat: datetime
    draining: bool = False
    gone: bool = False
    used: dict[str, Key] = field(default_factory=dict)
    """Slot to the trial that holds it; not stored, but derived from the trials."""

    @property
    def free(self) -> list[str]:
        """Ids of the slots that nobody holds."""
        return [slot.id for slot in self.slots if slot.id not in self.used]

    def to_document(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "_id": self.runner_id,
            "pool": self.pool,
            "session": self.session,
            "slots": [slot.to_json() for slot in self.slots],
            "labels": self.labels,
            "host": self.host,
            "last_heartbeat": self.last_heartbeat.isoformat(),
            "draining": self.draining,
            "gone": self.gone,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any], seen: datetime) -> Self:
        """As it was stored; it counts as seen when it is loaded, since nobody listened to it meanwhile."""
        return cls(
            runner_id=document["_id"],
            pool=document["pool"],
            session=document["session"],
            slots=[Slot.model_validate(slot) for slot in document["slots"]],
            labels=document["labels"],
            host=document["host"],
            last_heartbeat=seen,
            draining=document["draining"],
            gone=document["gone"],
        )


class Fleet:
    """The runners of one pool."""

    def __init__(self, pool: str) -> None:
        self._pool = pool
        self.runners: dict[str, Runner] = {}

    def seen(self, event: RunnerJoined | RunnerHeartbeat, now: datetime) -> Runner | None:
        """A runner says that it is there; None if a later session of it is known already.

        Sessions are ordered: they begin with the time at which they began.
        """
        known = self.runners.get(event.runner_id)
        if known is not None and known.session > event.session:
            return None
        draining = event.draining if isinstance(event, RunnerHeartbeat) else False
        used = known.used if known is not None and known.session == event.session else {}
        runner = Runner(
            event.runner_id,
            self._pool,
            event.session,
            event.slots,
            event.labels,
            event.host,
            now,
            draining,
            used=used,
        )
        self.runners[event.runner_id] = runner
        return runner

    def present(self, runner_id: str, session: str) -> Runner | None:
        """The runner, if it is there in that session."""
        runner = self.runners.get(runner_id)
        return runner if runner and runner.session == session and not runner.gone else None

    def silent(self, now: datetime, timeout: timedelta) -> list[Runner]:
        """Runners that have not been heard of for too long."""
        return [r for r in self.runners.values() if not r.gone and now - r.last_heartbeat > timeout]

    def open(self) -> Iterator[Runner]:
        """Runners that take new trials, by id."""
        for _, runner in sorted(self.runners.items()):
            if not runner.gone and not runner.draining:
                yield runner

    def hold(self, execution: Execution) -> None:
        """Mark the slots of an allocation as used."""
        allocation = execution.allocation
        if allocation and (runner := self.present(allocation.runner_id, allocation.session)):
            runner.used.update(dict.fromkeys(allocation.slots, execution.key))

    def free(self, execution: Execution) -> None:
        """Mark the slots of an allocation as free."""
        allocation = execution.allocation
        if allocation and (runner := self.runners.get(allocation.runner_id)):
            for slot in allocation.slots:
                if runner.used.get(slot) == execution.key:
                    del runner.used[slot]
