"""Placing: gives free slots to waiting trials, and finds who makes room for those that have waited too long. Pure."""

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from etude_scheduler.claim import Claim, Claims
from etude_scheduler.execution import Execution, Member, Want
from etude_scheduler.fleet import Fleet, Runner
from etude_scheduler.need import Need
from etude_scheduler.policies import Policy


def place(
    claims: Claims, fleet: Fleet, policy: Policy, now: datetime, keep_after: timedelta, avoid_for: timedelta
) -> Iterator[tuple[Execution, list[Member]]]:
    """Trials and the slots that each gets; the caller grants each before it asks for the next.

    A trial that does not fit holds nobody up: those behind it are placed around it (backfill). But once it has waited
    for ``keep_after``, slots that come free where it could run are kept for it, so that small trials cannot starve it.

    A trial that failed at its start on a runner goes to another one if there is any, for ``avoid_for``: a broken
    machine is soon free again, and would use up the restarts of all.
    """
    order = [(policy.order(claim, claims.typical), claim.experiment_id) for claim in claims.waiting(now)]
    heapq.heapify(order)
    blocked: set[Need] = set()
    kept: dict[str, int] = {}
    while order:
        claim = claims[heapq.heappop(order)[1]]
        for execution in claim.candidates:
            need = claim.need_of(execution, now - avoid_for)
            if need in blocked:
                continue
            members = fleet.fit(need, kept, execution.resident)
            if members is not None:
                break
            blocked.add(need)
            claim.waiting_since = claim.waiting_since or now
            if need.whole > 1 and now - claim.waiting_since >= keep_after:
                fleet.keep(need, kept)
        else:
            continue
        yield execution, members
        if claim.waiting and not claim.at_limit:
            heapq.heappush(order, (policy.order(claim, claims.typical), claim.experiment_id))


def victims(
    claims: Claims,
    fleet: Fleet,
    policy: Policy,
    running: Callable[[str], list[Execution]],
    now: datetime,
    after: timedelta,
) -> list[Execution]:
    """Trials to be preempted, so that others that have waited for ``after`` find room.

    Parameters
    ----------
    running : the trials that hold slots of a runner
    """
    if not policy.preempts:
        return []
    late = [
        claim
        for claim in claims.waiting(now)
        if claim.waiting_since is not None and now - claim.waiting_since >= after and claim.need.slots > 0
    ]
    if not late:
        return []
    search = _Search(claims, fleet, policy, running)
    for claim in sorted(late, key=lambda claim: policy.order(claim, claims.typical)):
        if not search.make_room(claim):
            break
    return search.found


@dataclass
class _Search:
    """What slots there would be, and who would hold how many, after what was decided so far."""

    claims: Claims
    fleet: Fleet
    policy: Policy
    running: Callable[[str], list[Execution]]
    found: list[Execution] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.held = {claim.experiment_id: claim.held for claim in self.claims}
        self.room: dict[str, int] = {}
        for runner in self.fleet.open(Need(0)):
            leaving = [e for e in self.running(runner.runner_id) if e.allocation and e.allocation.taken_back]
            self.room[runner.runner_id] = runner.free + sum(_size(execution, runner) for execution in leaving)
            for execution in leaving:
                self.held[execution.experiment_id] -= _size(execution, runner)

    def make_room(self, claim: Claim) -> bool:
        """Find room for all that wait of a claim; False if some find none."""
        need = claim.need
        limit = claim.share.max_slots
        for _ in range(claim.waiting):
            if limit is not None and self.held[claim.experiment_id] + need.slots > limit:
                return True
            able = [r for r in self.fleet.open(need) if self.room[r.runner_id] >= need.whole]
            if not able:
                options = [option for r in self.fleet.open(need) if (option := self._option(claim, need, r))]
                if not options:
                    return False
                runner, chosen = min(options, key=lambda option: (len(option[1]), option[0].runner_id))
                for execution in chosen:
                    self.found.append(execution)
                    self.room[runner.runner_id] += _size(execution, runner)
                    self.held[execution.experiment_id] -= execution.slots
            else:
                runner = min(able, key=lambda r: (self.room[r.runner_id], r.runner_id))
            self.room[runner.runner_id] -= need.whole
            self.held[claim.experiment_id] += need.slots
        return True

    def _option(self, claim: Claim, need: Need, runner: Runner) -> tuple[Runner, list[Execution]] | None:
        """Whom to preempt on a runner, so that a trial fits there: the least entitled first, of these the latest."""
        if len(runner.slots) < need.whole:
            return None
        held = dict(self.held)
        room = self.room[runner.runner_id]
        chosen: list[Execution] = []
        candidates = [e for e in self.running(runner.runner_id) if self._preemptible(e)]
        candidates.sort(key=lambda e: (self._worth(e.experiment_id, held), _granted(e)), reverse=True)
        for execution in candidates:
            if room >= need.whole:
                break
            victim = self.claims[execution.experiment_id]
            if victim is claim or not self.policy.may_preempt(claim, need.slots, victim, execution.slots, held):
                continue
            chosen.append(execution)
            room += _size(execution, runner)
            held[execution.experiment_id] -= execution.slots
        return (runner, chosen) if room >= need.whole else None

    def _worth(self, experiment_id: str, held: Mapping[str, float]) -> tuple[int, float]:
        """Whose trials go first: those of the least important, and of these of who holds most for its weight."""
        share = self.claims[experiment_id].share
        return share.priority, held[experiment_id] / share.weight

    def _preemptible(self, execution: Execution) -> bool:
        allocation = execution.allocation
        return (
            allocation is not None
            and allocation.taken_back is None
            and len(allocation.members) == 1
            and execution.slots >= 1
            and execution.want() is Want.TRAIN
            and execution not in self.found
        )


def _size(execution: Execution, runner: Runner) -> int:
    """Whole slots that come free on a runner when a trial goes; a shared one may not."""
    allocation = execution.allocation
    assert allocation
    member = allocation.member(runner.runner_id)
    return len(member.slots) if member and execution.slots >= 1 else 0


def _granted(execution: Execution) -> tuple[str, int]:
    assert execution.allocation
    return execution.allocation.granted_at, execution.trial_id
