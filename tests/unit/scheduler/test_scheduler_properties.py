"""Whatever the fleet, the experiments and what happens to them: what holds for every schedule."""

import random
from collections import defaultdict
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etude.events import (
    AllocationEnded,
    AllocationGranted,
    AllocationReleased,
    AllocationRevoked,
    AllocationStarted,
    CloseReason,
    EndReason,
    Event,
    ExperimentActivated,
    Length,
    RunnerJoined,
    RunnerLeft,
    Slot,
    TrialClosed,
    TrialRequested,
)
from etude_scheduler.execution import Key
from etude_scheduler.ledger import Message
from etude_scheduler.policies import Policy
from etude_scheduler.policies.fair_share import FairShare
from etude_scheduler.policies.first_come import FirstCome
from etude_scheduler.policies.priority import Priority
from etude_scheduler.policies.round_robin import RoundRobin
from etude_scheduler.scheduler import Scheduler
from tests.unit.make import MODEL, NOW, raw_config
from tests.unit.scheduler.fleets import House

POLICIES: list[type[Policy]] = [FairShare, Priority, FirstCome, RoundRobin]


class Drama:
    """A pool in which dice decide what happens, and every grant is checked."""

    def __init__(self, dice: random.Random, policy: Policy) -> None:
        self.dice = dice
        self.now: datetime = NOW
        self.scheduler = Scheduler("default", policy=policy)
        self.sizes: dict[str, int] = {}
        self.session = 0
        self.need: dict[str, float] = {}
        self.trials: dict[str, int] = defaultdict(int)
        self.unfinished: set[Key] = set()
        self.running: dict[tuple[Key, int], set[str]] = {}
        self.leaving: set[tuple[Key, int]] = set()

    def hear(self, event: Event, experiment_id: str | None = None) -> None:
        messages = self.scheduler.hear(experiment_id, event, self.now)
        messages += self.scheduler.tick(self.now)
        messages += self.scheduler.place(self.now)
        for message in messages:
            self.take(message)
        self.scheduler.committed()
        self.check()

    def take(self, message: Message) -> None:
        event = message.event
        if isinstance(event, AllocationGranted):
            lease = ((message.experiment_id, event.trial_id), event.lease_number)
            members = self.running.setdefault(lease, set())
            assert event.runner_id not in members or event.gang is None
            members.add(event.runner_id)
            if event.gang and event.gang.rendezvous is None:
                self.tell(lease, AllocationStarted, event.runner_id, rendezvous="h:1")
        elif isinstance(event, AllocationRevoked | AllocationReleased):
            self.leaving.add(((message.experiment_id, event.trial_id), event.lease_number))

    def tell(self, lease: tuple[Key, int], kind: type[Event], runner_id: str, **fields: object) -> None:
        (experiment_id, trial_id), number = lease
        event = kind.model_validate({"runner_id": runner_id, "trial_id": trial_id, "lease_number": number, **fields})
        for message in self.scheduler.hear(experiment_id, event, self.now):
            self.take(message)

    def check(self) -> None:
        """No slot is given twice, no gang is in parts, and what is held is counted right."""
        held: dict[str, float] = defaultdict(float)
        shares: dict[tuple[str, str], float] = defaultdict(float)
        for execution in self.scheduler.executions.values():
            if allocation := execution.allocation:
                held[execution.experiment_id] += execution.slots
                whole = sum(len(member.slots) for member in allocation.members)
                assert whole == -int(-execution.slots // 1), "all or none"
                assert len({member.runner_id for member in allocation.members}) == len(allocation.members)
                for member in allocation.present:
                    assert len(member.slots) <= self.sizes[member.runner_id]
                    for slot in member.slots:
                        shares[member.runner_id, slot] += min(execution.slots, 1)
        assert all(share <= 1 + 1e-6 for share in shares.values()), shares
        for claim in self.scheduler._ledger.claims:
            assert abs(claim.held - held[claim.experiment_id]) < 1e-6
        for runner in self.scheduler.fleet.runners.values():
            there = {slot for runner_id, slot in shares if runner_id == runner.runner_id}
            assert set(runner.used) == there or runner.gone

    # What may happen

    def join(self) -> None:
        self.session += 1
        runner_id = self.dice.choice("abcd")
        self.sizes[runner_id] = self.dice.choice([1, 2, 2, 4])
        for lease, members in self.running.items():  # its former life is over
            members.discard(runner_id)
            self.leaving.add(lease)
        slots = [Slot(id=str(n)) for n in range(self.sizes[runner_id])]
        self.hear(RunnerJoined(runner_id=runner_id, session=f"{self.session:04}", slots=slots))

    def leave(self) -> None:
        runner_id = self.dice.choice(sorted(self.scheduler.fleet.runners))
        session = self.scheduler.fleet.runners[runner_id].session
        for lease, members in self.running.items():
            if runner_id in members:
                members.discard(runner_id)
                self.leaving.add(lease)
        self.hear(RunnerLeft(runner_id=runner_id, session=session))

    def create(self) -> None:
        experiment_id = f"e{len(self.need)}"
        self.need[experiment_id] = self.dice.choice([1, 1, 1, 2, 0.5, 0.3, 0, 3])
        resources = {"weight": self.dice.choice([1, 2, 5]), "priority": self.dice.choice([1, 42])}
        if self.dice.random() < 0.2:
            resources["max_slots"] = 4
        config = raw_config(resources={**resources, "slots_per_trial": self.need[experiment_id]})
        self.hear(ExperimentActivated(revision=0, config=config, model_definition=MODEL), experiment_id)
        for _ in range(self.dice.randrange(1, 5)):
            self.request(experiment_id)

    def request(self, experiment_id: str) -> None:
        self.trials[experiment_id] += 1
        trial_id, slots = self.trials[experiment_id], self.need[experiment_id]
        self.unfinished.add((experiment_id, trial_id))
        target = Length.batches(1)
        event = TrialRequested(trial_id=trial_id, hyperparameters={}, seed=1, slots=slots, train_until=target)
        self.hear(event, experiment_id)

    def end(self) -> None:
        """Some process ends, of a trial that is done or was told to end, or because it failed."""
        leases = sorted(lease for lease, members in self.running.items() if members)
        if not leases:
            return
        lease = self.dice.choice(leases)
        (experiment_id, trial_id), number = lease
        runner_id = self.dice.choice(sorted(self.running[lease]))
        self.running[lease].discard(runner_id)
        failed = self.dice.random() < 0.1
        if lease not in self.leaving and not failed:
            self.unfinished.discard(lease[0])
            self.hear(TrialClosed(trial_id=trial_id, reason=CloseReason.FINISHED), experiment_id)
        reason = EndReason.FAILED if failed else EndReason.RELEASED
        ended = {"runner_id": runner_id, "trial_id": trial_id, "lease_number": number, "reason": reason}
        self.hear(AllocationEnded.model_validate(ended), experiment_id)
        execution = self.scheduler.executions.get(lease[0])
        if execution is None or execution.exited:
            self.unfinished.discard(lease[0])

    def wait(self) -> None:
        self.now += timedelta(seconds=self.dice.choice([1, 8]))
        for runner in self.scheduler.fleet.runners.values():
            runner.last_heartbeat = self.now
        self.hear(RunnerLeft(runner_id="nobody", session=""))

    def finish(self) -> None:
        """Let all that was ever asked for come to its end on a fleet that can hold it."""
        for _ in range(4):
            self.session += 1
            for runner_id in "abcd":
                if runner_id not in self.sizes or self.scheduler.fleet.runners[runner_id].gone:
                    self.sizes[runner_id] = 2
                    slots = [Slot(id="0"), Slot(id="1")]
                    self.hear(RunnerJoined(runner_id=runner_id, session=f"{self.session:04}", slots=slots))
        for _ in range(2000):
            if not self.unfinished:
                return
            self.wait()
            self.end()
        raise AssertionError(f"never ended: {sorted(self.unfinished)}; {self.scheduler.report()}")


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=1000)
@given(seed=st.integers(0, 2**32))
def test_no_slot_is_given_twice_gangs_are_whole_and_nothing_starves(policy: type[Policy], seed: int) -> None:
    dice = random.Random(seed)
    drama = Drama(dice, policy())
    drama.join()
    drama.create()
    for _ in range(dice.randrange(30)):
        happening = dice.choices(
            [drama.end, drama.wait, drama.create, drama.join, drama.leave], weights=[8, 4, 2, 1, 1]
        )[0]
        happening()
    drama.finish()


LONGEST = 5


@settings(max_examples=150)
@given(st.integers(0, 2**32))
def test_weights_are_respected_within_one_trial_over_time(seed: int) -> None:
    dice = random.Random(seed)
    slots = dice.randrange(1, 9)
    house = House(FairShare(), a=slots)
    weights = {f"e{n}-": dice.choice([1, 2, 3, 5]) for n in range(dice.randrange(1, 5))}
    for experiment_id, weight in weights.items():
        house.claim(experiment_id, 200 * slots, weight=weight)
    served = dict.fromkeys(weights, 0)
    ends: dict[str, int] = {}
    for second in range(200):
        house.end(*(name for name, end in ends.items() if end == second), after=second)
        for placed in house.place(after=second):
            ends[placed.split("@")[0]] = second + dice.randrange(1, LONGEST + 1)
        for execution in house.running:
            served[execution.experiment_id] += 1
    total = sum(served.values())
    assert total == 200 * slots
    for experiment_id, weight in weights.items():
        fair = total * weight / sum(weights.values())
        assert abs(served[experiment_id] - fair) <= LONGEST * slots, (served, weights)
