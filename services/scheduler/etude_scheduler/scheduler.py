"""Scheduler: one resource pool. What is said about trials and runners goes in, what runners must do comes out. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from etude.events import (
    AllocationEnded,
    AllocationRevoked,
    AllocationStarted,
    CheckpointSaved,
    Event,
    ExperimentActivated,
    ExperimentCanceled,
    ExperimentCompleted,
    ExperimentDeleted,
    ExperimentFailed,
    ExperimentPaused,
    PoolReported,
    RunnerChangeRequested,
    RunnerDraining,
    RunnerHeartbeat,
    RunnerJoined,
    RunnerLeft,
    TrialClosed,
    TrialContinued,
    TrialPaused,
    TrialRequested,
    ValidationCompleted,
)
from etude_scheduler import orders, standing
from etude_scheduler.allocations import Allocations
from etude_scheduler.execution import Execution, Member, Want
from etude_scheduler.fleet import Fleet, Runner
from etude_scheduler.ledger import Ledger, Message
from etude_scheduler.placing import place, victims
from etude_scheduler.policies import Policy
from etude_scheduler.policies.fair_share import FairShare
from etude_scheduler.reminders import Reminders
from etude_scheduler.runner_faults import RunnerFaults
from etude_scheduler.share import Share


@dataclass(frozen=True)
class Timing:
    """How patient the scheduler is.

    Attributes
    ----------
    runner_timeout : a runner that is silent for so long is lost
    grant_grace : how long a runner may take to list in its heartbeats what it was granted, before it is told again
    preempt_after : how long an experiment must have waited before trials of others are preempted for it
    keep_after : how long a trial of several slots must have waited before slots that come free are kept for it
    avoid_for : how long a trial that failed at its start on a runner waits for another one
    remind_after, remind_at_most : how long a report waits for the searcher's decision before it is repeated, the first
        time and at most
    """

    runner_timeout: timedelta = timedelta(seconds=30)
    grant_grace: timedelta = timedelta(seconds=10)
    preempt_after: timedelta = timedelta(seconds=10)
    keep_after: timedelta = timedelta(seconds=60)
    avoid_for: timedelta = timedelta(seconds=60)
    remind_after: timedelta = timedelta(seconds=3)
    remind_at_most: timedelta = timedelta(seconds=300)


class Scheduler:
    """The trials, experiments and runners of one pool.

    The shell brings the executions and shares that an event is about into :attr:`executions` and :attr:`shares`
    before it calls :meth:`hear`, and stores afterwards what :attr:`changed` names.
    """

    def __init__(self, pool: str, timing: Timing | None = None, policy: Policy | None = None) -> None:
        self.pool = pool
        self._ledger = ledger = Ledger(pool, Fleet(pool))
        self.fleet, self.executions, self.shares = ledger.fleet, ledger.executions, ledger.shares
        self.changed, self.changed_shares = ledger.changed, ledger.changed_shares
        self.changed_runners = ledger.changed_runners
        self._faults = RunnerFaults(ledger)
        self._allocations = Allocations(ledger, self._faults)
        self._timing = timing = timing or Timing()
        self._reminders = Reminders(ledger, timing.remind_after, timing.remind_at_most)
        self._policy = policy or FairShare()

    def adopt(self, executions: Iterable[Execution] = (), shares: Iterable[Share] = ()) -> None:
        """Take over what was stored."""
        for share in shares:
            self.shares[share.experiment_id] = share
        for execution in executions:
            self._ledger.remember(execution)
            if execution.allocation:
                self._ledger.claim(execution).hold(execution.slots, self._ledger.now)
                for member in execution.allocation.present:
                    self._ledger.hold(execution, member)
                for member in execution.allocation.present:
                    gone = self.fleet.present(member.runner_id, member.session) is None
                    if gone and not member.over:  # the loss of another may have ended its part, too
                        self._lose_member(execution, member)
            self._reconcile(execution)

    def committed(self) -> None:
        """What changed is stored."""
        self._ledger.committed()

    def hear(self, experiment_id: str | None, event: Event, now: datetime) -> list[Message]:
        """Take an event in; returns what to tell. Events may come late, twice and in any order."""
        self._ledger.now = now
        match event:
            case RunnerJoined() | RunnerHeartbeat():
                self._runner_seen(event, now)
            case RunnerDraining(runner_id=runner_id, session=session):
                if runner := self.fleet.present(runner_id, session):
                    runner.draining = True
                    self.changed_runners.add(runner_id)
            case RunnerLeft(runner_id=runner_id, session=session):
                if runner := self.fleet.present(runner_id, session):
                    self._lose(runner)
            case RunnerChangeRequested():
                self._change_runner(event)
            case _ if experiment_id is not None:
                self._hear_of_experiment(experiment_id, event, now)
        return self._ledger.take_messages()

    def place(self, now: datetime) -> list[Message]:
        """Give free slots to waiting trials."""
        timing = self._timing
        for execution, members in place(
            self._ledger.claims, self.fleet, self._policy, now, timing.keep_after, timing.avoid_for
        ):
            self._allocations.grant(execution, members, now)
        return self._ledger.take_messages()

    def tick(self, now: datetime) -> list[Message]:
        """Declare silent runners lost, preempt trials for others, and repeat reports that nobody answers."""
        for runner in self.fleet.silent(now, self._timing.runner_timeout):
            self._lose(runner)
        after = self._timing.preempt_after
        for execution in victims(self._ledger.claims, self.fleet, self._policy, self._ledger.allocated_to, now, after):
            self._allocations.take_back(execution)
        return self._ledger.take_messages() + self._reminders.take_due(now)

    def report(self) -> PoolReported:
        """The pool as it is, for people."""
        avoid_since = (self._ledger.now or datetime.max.replace(tzinfo=UTC)) - self._timing.avoid_for
        return standing.report(
            self.pool, self._ledger.claims, self.fleet, self._policy, self._ledger.allocated_to, avoid_since
        )

    # Experiments and trials

    def _hear_of_experiment(self, experiment_id: str, event: Event, now: datetime) -> None:
        match event:
            case ExperimentActivated():
                self._hold_or_free(experiment_id, "active", event.revision, event)
            case ExperimentPaused():
                self._hold_or_free(experiment_id, "paused", event.revision)
            case ExperimentCompleted() | ExperimentFailed():
                self._hold_or_free(experiment_id, "ended", event.revision)
            case ExperimentCanceled():
                self._hold_or_free(experiment_id, "ended", event.revision, killed=event.killed)
            case ExperimentDeleted():
                self._hold_or_free(experiment_id, "deleted", event.revision)
            case TrialRequested(trial_id=trial_id):
                self._update(experiment_id, trial_id, lambda e: e.request(event, now))
            case TrialContinued(trial_id=trial_id):
                self._update(experiment_id, trial_id, lambda e: e.aim(event.train_until))
            case TrialPaused(trial_id=trial_id):
                self._update(experiment_id, trial_id, lambda e: _pause(e, event.length.amount))
            case TrialClosed(trial_id=trial_id):
                self._update(
                    experiment_id,
                    trial_id,
                    lambda e: None if event.outdated(e.target) else e.close(event.reason, event.attempt),
                )
            case AllocationStarted() | AllocationEnded() | ValidationCompleted() | CheckpointSaved():
                self._hear_of_allocation(experiment_id, event)

    def _hold_or_free(
        self,
        experiment_id: str,
        state: str,
        revision: int,
        activated: ExperimentActivated | None = None,
        killed: bool = False,
    ) -> None:
        share = self._ledger.share(experiment_id)
        before = (share.state, share.revision, share.config is None)
        share.become(state, revision, killed)
        if activated is not None and not share.deleted and (share.config is None or revision == share.revision):
            share.config, share.model_definition = activated.config, activated.model_definition.to_json()
        if before != (share.state, share.revision, share.config is None):
            self.changed_shares.add(experiment_id)
            for execution in self._ledger.of_experiment(experiment_id):
                if execution.closed_with_experiment:
                    execution.reopen()
                    self.changed.add(execution.key)
                self._reconcile(execution)
            self._strip(share)

    def _strip(self, share: Share) -> None:
        """Of an experiment that was deleted nothing is kept once none of its trials holds slots."""
        if share.deleted and share.config and not any(e.open for e in self._ledger.of_experiment(share.experiment_id)):
            share.config = share.model_definition = None
            self.changed_shares.add(share.experiment_id)

    def _hear_of_allocation(
        self,
        experiment_id: str,
        event: AllocationStarted | AllocationEnded | ValidationCompleted | CheckpointSaved,
    ) -> None:
        execution = self.executions.get((experiment_id, event.trial_id))
        if execution is None or event.lease_number != execution.lease_number:
            if execution is not None and isinstance(event, AllocationEnded) and event.resident:
                self._ledger.tell(execution, orders.evict(execution, event.runner_id, event.lease_number))
            return
        self._update(experiment_id, event.trial_id, lambda e: self._report(e, event))

    def _report(
        self,
        execution: Execution,
        event: AllocationStarted | AllocationEnded | ValidationCompleted | CheckpointSaved,
    ) -> None:
        match event:
            case AllocationStarted():
                self._allocations.started(execution, event.runner_id, event.rendezvous)
            case CheckpointSaved():
                execution.saved(event.uri, event.length.amount)
                self._faults.record_success(execution)
            case ValidationCompleted():
                if event.length.amount >= execution.validated:
                    execution.validated = event.length.amount
                    execution.last_validation = event.to_json()
                if event.checkpoint is not None:
                    execution.saved(event.checkpoint.uri, event.checkpoint.length)
                self._faults.record_success(execution)
            case AllocationEnded() if execution.allocation is None:
                if event.resident:
                    self._rests(execution, event.runner_id)
            case AllocationEnded() if execution.allocation:
                if member := execution.allocation.member(event.runner_id):
                    self._allocations.ended(execution, member, event)

    def _rests(self, execution: Execution, runner_id: str) -> None:
        """A paused trial rests in a runner's memory: if it is promoted, it had best go on there."""
        runner = self.fleet.runners.get(runner_id)
        if execution.over:
            self._ledger.tell(execution, orders.evict(execution, runner_id, execution.lease_number))
        elif runner is not None:
            execution.resident = Member(runner.runner_id, runner.session, [], over=True)

    def _update(self, experiment_id: str, trial_id: int, change: Callable[[Execution], None]) -> None:
        key = (experiment_id, trial_id)
        execution = self.executions.get(key)
        if execution is None:
            if self._ledger.share(experiment_id).deleted:
                return
            execution = self._ledger.remember(Execution(experiment_id, trial_id, self.pool))
        before = execution.to_document()
        change(execution)
        if execution.to_document() != before:
            self.changed.add(key)
            self._reconcile(execution)

    def _reconcile(self, execution: Execution) -> None:
        """Bring what a trial holds in line with what it should do."""
        share = self._ledger.share(execution.experiment_id)
        if share.ending and not execution.closed:  # what closed it was lost, or is late
            execution.close(share.ending)
            execution.closed_with_experiment = not share.deleted
            self.changed.add(execution.key)
        want = execution.want() if share.active or execution.over else Want.REST
        claim = self._ledger.claim(execution)
        claim.remove(execution)
        if execution.resident and execution.over:
            self._ledger.tell(execution, orders.evict(execution, execution.resident.runner_id, execution.lease_number))
            execution.resident = None
        allocation = execution.allocation
        if allocation is None:
            if want is Want.TRAIN:
                self._ledger.claims.add(claim, execution, self._ledger.now)
        elif want is Want.TRAIN:
            if allocation.train_until < execution.target:
                allocation.train_until = execution.target
                self.changed.add(execution.key)
                for member in allocation.present:
                    self._ledger.tell(execution, orders.extend(execution, member))
        elif want is not Want.DECISION:
            self._allocations.take_back(execution)
            if execution.idle:
                self._allocations.let_go(execution, allocation)
        self._reminders.watch(execution)
        self._strip(share)

    # Runners

    def _runner_seen(self, event: RunnerJoined | RunnerHeartbeat, now: datetime) -> None:
        before = self.fleet.runners.get(event.runner_id)
        runner = self.fleet.seen(event, now)
        if runner is None:
            return
        self.changed_runners.add(runner.runner_id)
        returned = before is None or before.gone or before.session != runner.session
        for execution in self._ledger.allocated_to(runner.runner_id):
            member = self._member(execution, runner.runner_id)
            if member.session != runner.session:
                self._lose_member(execution, member)
            elif returned:
                self.fleet.hold(execution, member)
        if isinstance(event, RunnerHeartbeat):
            self._compare(runner, event, now)

    def _change_runner(self, event: RunnerChangeRequested) -> None:
        """A person takes a runner out of service, or back into it."""
        runner = self.fleet.runners.get(event.runner_id)
        if runner is None:
            return
        runner.disabled = None if event.enabled else event.reason or f"by {event.requested_by or 'request'}"
        if event.enabled:
            runner.blamed_by = []
        self.changed_runners.add(runner.runner_id)
        if event.drain and not event.enabled:
            for execution in self._ledger.allocated_to(runner.runner_id):
                self._allocations.take_back(execution)

    def _compare(self, runner: Runner, heartbeat: RunnerHeartbeat, now: datetime) -> None:
        """Tell a runner again what its heartbeat shows that it does not know."""
        running = {(r.experiment_id, r.trial_id, r.lease_number): r for r in heartbeat.running}
        for execution in self._ledger.allocated_to(runner.runner_id):
            allocation, member = execution.allocation, self._member(execution, runner.runner_id)
            assert allocation
            share = self._ledger.share(execution.experiment_id)
            entry = running.pop((*execution.key, execution.lease_number), None)
            if entry is None:
                late = now - datetime.fromisoformat(allocation.granted_at) > self._timing.grant_grace
                if late and allocation.may_start(member):
                    self._ledger.tell(execution, orders.grant(execution, share, member))
                continue
            self._allocations.started(execution, runner.runner_id, entry.rendezvous)
            if not share.active or execution.want() in (Want.REST, Want.OVER) or allocation.taken_back == "revoked":
                self._ledger.tell(execution, orders.take_back(execution, member))
            elif entry.train_until.amount < allocation.train_until:
                self._ledger.tell(execution, orders.extend(execution, member))
        for (experiment_id, trial_id, lease_number), entry in running.items():
            if entry.stopping:
                continue
            if (told := self.executions.get((experiment_id, trial_id))) and lease_number == told.lease_number:
                self._ledger.tell(told, orders.let_go(told, runner.runner_id))
                continue
            stale = AllocationRevoked(
                runner_id=runner.runner_id, trial_id=trial_id, lease_number=lease_number, kill=True
            )
            self._ledger.tell_of(experiment_id, stale)

    def _lose(self, runner: Runner) -> None:
        runner.gone = True
        runner.used.clear()
        runner.guests.clear()
        self.changed_runners.add(runner.runner_id)
        for execution in self._ledger.allocated_to(runner.runner_id):
            self._lose_member(execution, self._member(execution, runner.runner_id))

    def _lose_member(self, execution: Execution, member: Member) -> None:
        """A part of an allocation is lost with its runner: the trial goes back into the queue."""
        self._allocations.lose(execution, member)
        self._reconcile(execution)

    def _member(self, execution: Execution, runner_id: str) -> Member:
        """The part of a runner that holds slots for a trial."""
        member = execution.allocation.member(runner_id) if execution.allocation else None
        assert member, f"{runner_id} holds no slots for trial {execution.key}"
        return member


def _pause(execution: Execution, length: int) -> None:
    execution.paused_at = max(execution.paused_at, length)
