"""Fleets and claims for tests, with little said."""

from datetime import timedelta
from typing import Any

from etude.events import RunnerJoined, Slot
from etude_scheduler.claim import Claim, Claims
from etude_scheduler.execution import Allocation, Execution, Member
from etude_scheduler.fleet import Fleet
from etude_scheduler.placing import place, victims
from etude_scheduler.policies import Policy
from etude_scheduler.policies.fair_share import FairShare
from etude_scheduler.share import Share
from tests.unit.make import NOW


class House:
    """A fleet, the claims on it, and who runs where."""

    def __init__(self, policy: Policy | None = None, **slots: int) -> None:
        self.policy = policy or FairShare()
        self.fleet = Fleet("default")
        self.claims = Claims()
        self.now = NOW
        self.running: list[Execution] = []
        for runner_id, count in slots.items():
            self.join(runner_id, count)

    def join(self, runner_id: str, slots: int, labels: list[str] | None = None, cores: int = 2) -> None:
        """A runner is there."""
        made = [Slot(id=str(n)) for n in range(slots)]
        joined = RunnerJoined(runner_id=runner_id, session="1", slots=made, labels=labels or [], cores=cores)
        self.fleet.seen(joined, NOW)

    def claim(self, experiment_id: str, trials: int, slots: float = 1, **resources: Any) -> Claim:
        """Trials of an experiment that wait since now."""
        share = Share(experiment_id, "default", config={"resources": resources}, model_definition={})
        claim = self.claims.of(share)
        number = len([e for e in self.running if e.experiment_id == experiment_id])
        for trial_id in range(number + 1, number + trials + 1):
            self.claims.add(claim, waiting(experiment_id, trial_id, slots), NOW)
        return claim

    def place(self, after: float = 0.0, keep_after: float = 60.0, avoid_for: float = 60.0) -> list[str]:
        """Place what fits; returns ``trial@runner:slots`` of each."""
        placed = []
        now = self.now = NOW + timedelta(seconds=after)
        limits = timedelta(seconds=keep_after), timedelta(seconds=avoid_for)
        for execution, members in place(self.claims, self.fleet, self.policy, now, *limits):
            claim = self.claims[execution.experiment_id]
            execution.allocation = Allocation(members, 1, f"{len(self.running):09}")
            claim.remove(execution)
            claim.hold(execution.slots, now)
            self.claims.granted(claim, now)
            self.running.append(execution)
            for member in members:
                self.fleet.hold(execution, member)
            where = "+".join(f"{member.runner_id}:{','.join(member.slots)}" for member in members)
            placed.append(f"{execution.experiment_id}{execution.trial_id}@{where}")
        return placed

    def end(self, *names: str, after: float | None = None) -> None:
        """Trials end."""
        self.now = self.now if after is None else NOW + timedelta(seconds=after)
        for execution in [e for e in self.running if f"{e.experiment_id}{e.trial_id}" in names]:
            assert execution.allocation
            for member in execution.allocation.members:
                self.fleet.free(execution, member)
            self.claims[execution.experiment_id].hold(-execution.slots, self.now)
            self.running.remove(execution)

    def victims(self, after: float = 60.0) -> list[str]:
        """Who is preempted."""
        now = NOW + timedelta(seconds=after)
        found = victims(self.claims, self.fleet, self.policy, self.on, now, timedelta(seconds=10))
        return sorted(f"{execution.experiment_id}{execution.trial_id}" for execution in found)

    def on(self, runner_id: str) -> list[Execution]:
        """Who holds slots of a runner."""
        return [e for e in self.running if e.allocation and e.allocation.member(runner_id)]


def waiting(experiment_id: str, trial_id: int, slots: float = 1) -> Execution:
    return Execution(
        experiment_id, trial_id, "default", requested=True, requested_at=f"{trial_id:05}", slots=slots, target=1
    )


def member(runner_id: str, *slots: str) -> Member:
    return Member(runner_id, "1", list(slots))
