"""Claim: what one experiment asks of a pool, and what it holds. Pure."""

import heapq
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from etude_scheduler.execution import Execution, Key
from etude_scheduler.need import Need
from etude_scheduler.share import Share

_FORGET = 0.05  # the weight of the latest allocation in what is typical


class Claim:
    """The waiting trials of one experiment, the first requested first.

    Attributes
    ----------
    share : the experiment
    held : slots that its trials hold, parts added up
    served : number of the latest grant in its pool that was its, 0 before
    waiting_since : when it was last given something, or began to wait
    service : slot-seconds that its trials have had, or are deemed to have had when it came
    """

    def __init__(self, share: Share) -> None:
        self.share = share
        self.held = 0.0
        self.served = 0
        self.waiting_since: datetime | None = None
        self.service = 0.0
        self._as_of: datetime | None = None
        self._waiting = _Line()
        self._unhurt = _Line()  # of these, trials that have failed at their start nowhere

    @property
    def experiment_id(self) -> str:
        """Whose it is."""
        return self.share.experiment_id

    @property
    def waiting(self) -> int:
        """How many trials wait."""
        return len(self._waiting)

    @property
    def first(self) -> Execution:
        """The trial that goes next."""
        return self._waiting.first

    @property
    def candidates(self) -> list[Execution]:
        """The trial that goes next and, if that avoids some runners, the next one that avoids none."""
        first = self.first
        return [first, self._unhurt.first] if first.failed_at_start and len(self._unhurt) else [first]

    @property
    def need(self) -> Need:
        """Of its next trial, and so of all: slots and labels are the experiment's."""
        return Need(self.first.slots, self.share.runner_labels)

    def need_of(self, execution: Execution, avoid_since: datetime) -> Need:
        """Of one of its trials, which avoids the runners where it has failed at its start since then."""
        return replace(self.need, avoid=execution.avoids(avoid_since))

    @property
    def at_limit(self) -> bool:
        """Would one more trial be more than its max_slots?"""
        limit = self.share.max_slots
        return limit is not None and self.held + self.first.slots > limit + 1e-9

    def hold(self, slots: float, now: datetime | None) -> None:
        """Its trials hold more slots from now on, or fewer."""
        self.elapse(now)
        self.held += slots

    def elapse(self, now: datetime | None) -> None:
        """Time passed: the slots that it holds have served it."""
        if now is not None and self._as_of is not None:
            self.service += self.held * max((now - self._as_of).total_seconds(), 0.0)
        self._as_of = now or self._as_of

    def add(self, execution: Execution, now: datetime | None) -> None:
        """A trial waits."""
        if not self._waiting:
            self.waiting_since = now
        self._waiting.add(execution)
        if not execution.failed_at_start:
            self._unhurt.add(execution)

    def remove(self, execution: Execution) -> None:
        """A trial waits no longer."""
        self._waiting.remove(execution)
        self._unhurt.remove(execution)


class _Line:
    """Trials of one experiment, the first requested first."""

    def __init__(self) -> None:
        self._members: dict[Key, Execution] = {}
        self._order: list[tuple[str, int, Key]] = []

    def __len__(self) -> int:
        return len(self._members)

    def __bool__(self) -> bool:
        return bool(self._members)

    @property
    def first(self) -> Execution:
        while (key := self._order[0][2]) not in self._members:
            heapq.heappop(self._order)
        return self._members[key]

    def add(self, execution: Execution) -> None:
        if execution.key not in self._members:
            self._members[execution.key] = execution
            heapq.heappush(self._order, _entry(execution))

    def remove(self, execution: Execution) -> None:
        if self._members.pop(execution.key, None) and len(self._order) > 2 * len(self._members) + 16:
            self._order = [_entry(member) for member in self._members.values()]
            heapq.heapify(self._order)


def _entry(execution: Execution) -> tuple[str, int, Key]:
    return execution.requested_at, execution.trial_id, execution.key


class Claims:
    """The claims of all experiments on one pool.

    Attributes
    ----------
    typical : how long allocations last, in seconds, as far as is known
    """

    def __init__(self) -> None:
        self.typical = 1.0
        self._claims: dict[str, Claim] = {}
        self._grants = 0
        self._ended = 0

    def of(self, share: Share) -> Claim:
        """The claim of an experiment."""
        claim = self._claims.get(share.experiment_id)
        if claim is None:
            claim = self._claims[share.experiment_id] = Claim(share)
        claim.share = share
        return claim

    def __getitem__(self, experiment_id: str) -> Claim:
        return self._claims[experiment_id]

    def __iter__(self) -> Iterator[Claim]:
        return iter(self._claims.values())

    def add(self, claim: Claim, execution: Execution, now: datetime | None) -> None:
        """A trial waits. Who comes anew is deemed to have had as much as whoever has had least for its weight."""
        if not claim.waiting and not claim.held:
            least = min((c.service / c.share.weight for c in self if c.waiting or c.held), default=0.0)
            claim.service = max(claim.service, least * claim.share.weight)
        claim.add(execution, now)

    def lasted(self, seconds: float) -> None:
        """An allocation came to its end."""
        self._ended += 1
        self.typical += max(1 / self._ended, _FORGET) * (max(seconds, 0.0) - self.typical)

    def waiting(self, now: datetime | None = None) -> Iterator[Claim]:
        """Those that want something and may have it, with what they have had until now."""
        for claim in self._claims.values():
            if claim.waiting and claim.share.active and not claim.at_limit:
                claim.elapse(now)
                yield claim

    def granted(self, claim: Claim, now: datetime) -> None:
        """A claim was served."""
        self._grants += 1
        claim.served = self._grants
        claim.waiting_since = now

    def drop(self, experiment_id: str) -> None:
        """An experiment is over."""
        self._claims.pop(experiment_id, None)
