"""Scheduler: one resource pool. What is said about trials and runners goes in, what runners must do comes out. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from etude.events import (
    AllocationEnded,
    AllocationRevoked,
    AllocationStarted,
    CheckpointSaved,
    EndReason,
    Event,
    ExitReason,
    ExperimentActivated,
    ExperimentCanceled,
    ExperimentCompleted,
    ExperimentFailed,
    ExperimentPaused,
    RunnerDraining,
    RunnerHeartbeat,
    RunnerJoined,
    RunnerLeft,
    TrialClosed,
    TrialContinued,
    TrialExited,
    TrialPaused,
    TrialRequested,
    ValidationCompleted,
)
from etude_scheduler import orders
from etude_scheduler.execution import Allocation, Execution, Key, Want
from etude_scheduler.fleet import Fleet, Runner
from etude_scheduler.policies import Placement, first_come
from etude_scheduler.share import Share


@dataclass(frozen=True)
class Message:
    """An event that the scheduler emits, and the experiment that it belongs to."""

    experiment_id: str
    event: Event


@dataclass(frozen=True)
class Timing:
    """How patient the scheduler is.

    Attributes
    ----------
    runner_timeout : a runner that is silent for so long is lost
    grant_grace : how long a runner may take to list in its heartbeats what it was granted, before it is told again
    """

    runner_timeout: timedelta = timedelta(seconds=30)
    grant_grace: timedelta = timedelta(seconds=10)


class Scheduler:
    """The trials, experiments and runners of one pool.

    The shell brings the executions and shares that an event is about into :attr:`executions` and :attr:`shares`
    before it calls :meth:`hear`, and stores afterwards what :attr:`changed` names.
    """

    def __init__(
        self, pool: str, timing: Timing | None = None, policy: Callable[..., list[Placement]] = first_come
    ) -> None:
        self.pool = pool
        self.fleet = Fleet(pool)
        self.executions: dict[Key, Execution] = {}
        self.shares: dict[str, Share] = {}
        self.changed: set[Key] = set()
        self.changed_shares: set[str] = set()
        self.changed_runners: set[str] = set()
        self._timing = timing or Timing()
        self._policy = policy
        self._waiting: dict[Key, Execution] = {}
        self._allocated: dict[str, set[Key]] = {}
        self._slots_held: dict[str, int] = {}
        self._messages: list[Message] = []

    def adopt(self, executions: Iterable[Execution] = (), shares: Iterable[Share] = ()) -> None:
        """Take over what was stored."""
        for share in shares:
            self.shares[share.experiment_id] = share
        for execution in executions:
            self.executions[execution.key] = execution
            allocation = execution.allocation
            if allocation:
                self._hold(execution, allocation)
                if self.fleet.present(allocation.runner_id, allocation.session) is None:
                    self._requeue(execution)
            self._reconcile(execution)

    def committed(self) -> None:
        """What changed is stored. Trials that are over and hold nothing leave memory, until they are named again."""
        for key in self.changed:
            if not self.executions[key].open:
                del self.executions[key]
        if self.changed_shares:
            held = {experiment_id for experiment_id, _ in self.executions}
            for experiment_id in [i for i, s in self.shares.items() if s.state == "ended" and i not in held]:
                del self.shares[experiment_id]
                self._slots_held.pop(experiment_id, None)
        self.changed.clear()
        self.changed_shares.clear()
        self.changed_runners.clear()

    def hear(self, experiment_id: str | None, event: Event, now: datetime) -> list[Message]:
        """Take an event in; returns what to tell. Events may come late, twice and in any order."""
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
            case _ if experiment_id is not None:
                self._hear_of_experiment(experiment_id, event, now)
        return self._take_messages()

    def place(self, now: datetime) -> list[Message]:
        """Give free slots to waiting trials."""
        if self._waiting:
            waiting = [e for e in self._waiting.values() if self._share(e.experiment_id).active]
            for placement in self._policy(waiting, self.fleet, self.shares, self._slots_held):
                self._grant(placement, now)
        return self._take_messages()

    def tick(self, now: datetime) -> list[Message]:
        """Declare silent runners lost."""
        for runner in self.fleet.silent(now, self._timing.runner_timeout):
            self._lose(runner)
        return self._take_messages()

    def reminders(self) -> list[Message]:
        """Say again what only the searcher can answer: results without a decision, and trials that were given up."""
        messages = []
        for execution in self.executions.values():
            if not self._share(execution.experiment_id).active or execution.closed:
                continue
            if execution.exited:
                said: Event = TrialExited.model_validate(execution.exited)
            elif execution.want() is Want.DECISION and execution.last_validation:
                said = ValidationCompleted.model_validate(execution.last_validation)
            else:
                continue
            messages.append(Message(execution.experiment_id, said))
        return messages

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
            case TrialRequested(trial_id=trial_id):
                self._update(experiment_id, trial_id, lambda e: e.request(event, now))
            case TrialContinued(trial_id=trial_id):
                self._update(experiment_id, trial_id, lambda e: e.aim(event.train_until))
            case TrialPaused(trial_id=trial_id):
                self._update(experiment_id, trial_id, lambda e: _pause(e, event.length.amount))
            case TrialClosed(trial_id=trial_id):
                self._update(
                    experiment_id, trial_id, lambda e: None if event.outdated(e.target) else e.close(event.reason)
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
        share = self._share(experiment_id)
        before = (share.state, share.revision, share.config is None)
        share.become(state, revision, killed)
        if activated is not None and (share.config is None or revision == share.revision):
            share.config, share.model_definition = activated.config, activated.model_definition.to_json()
        if before != (share.state, share.revision, share.config is None):
            self.changed_shares.add(experiment_id)
            for execution in [e for e in self.executions.values() if e.experiment_id == experiment_id]:
                if execution.closed_with_experiment:
                    execution.reopen()
                    self.changed.add(execution.key)
                self._reconcile(execution)

    def _hear_of_allocation(
        self,
        experiment_id: str,
        event: AllocationStarted | AllocationEnded | ValidationCompleted | CheckpointSaved,
    ) -> None:
        execution = self.executions.get((experiment_id, event.trial_id))
        if execution is None or event.lease_number != execution.lease_number:
            return
        self._update(experiment_id, event.trial_id, lambda e: self._report(e, event))
        if isinstance(event, AllocationEnded) and execution.exited:
            self._tell(execution, TrialExited.model_validate(execution.exited))

    def _report(
        self,
        execution: Execution,
        event: AllocationStarted | AllocationEnded | ValidationCompleted | CheckpointSaved,
    ) -> None:
        match event:
            case AllocationStarted() if execution.allocation:
                execution.allocation.started = True
            case CheckpointSaved():
                execution.saved(event.uri, event.length.amount)
            case ValidationCompleted():
                if event.length.amount >= execution.validated:
                    execution.validated = event.length.amount
                    execution.last_validation = event.to_json()
                if event.checkpoint is not None:
                    execution.saved(event.checkpoint.uri, event.checkpoint.length)
            case AllocationEnded() if execution.allocation:
                self._free(execution)
                if event.reason is EndReason.FAILED and not execution.over:
                    if execution.restarts >= self._share(execution.experiment_id).max_restarts:
                        execution.exited = _exit(execution, event, ExitReason.RESTARTS_USED_UP)
                    else:
                        execution.restarts += 1
                elif event.reason is EndReason.INVALID_HYPERPARAMETERS:
                    execution.exited = _exit(execution, event, ExitReason.INVALID_HYPERPARAMETERS)

    def _update(self, experiment_id: str, trial_id: int, change: Callable[[Execution], None]) -> None:
        key = (experiment_id, trial_id)
        execution = self.executions.get(key)
        if execution is None:
            execution = self.executions[key] = Execution(experiment_id, trial_id, self.pool)
        before = execution.to_document()
        change(execution)
        if execution.to_document() != before:
            self.changed.add(key)
            self._reconcile(execution)

    def _reconcile(self, execution: Execution) -> None:
        """Bring what a trial holds in line with what it should do."""
        share = self._share(execution.experiment_id)
        if share.ending and not execution.closed:  # what closed it was lost, or is late
            execution.close(share.ending)
            execution.closed_with_experiment = True
            self.changed.add(execution.key)
        want = execution.want() if share.active or execution.over else Want.REST
        self._waiting.pop(execution.key, None)
        allocation = execution.allocation
        if allocation is None:
            if want is Want.TRAIN:
                self._waiting[execution.key] = execution
        elif want is Want.TRAIN:
            if allocation.train_until < execution.target:
                allocation.train_until = execution.target
                self.changed.add(execution.key)
                self._tell(execution, orders.extend(execution))
        elif want is not Want.DECISION:
            self._take_back(execution)

    # Runners

    def _runner_seen(self, event: RunnerJoined | RunnerHeartbeat, now: datetime) -> None:
        before = self.fleet.runners.get(event.runner_id)
        runner = self.fleet.seen(event, now)
        if runner is None:
            return
        self.changed_runners.add(runner.runner_id)
        for execution in self._allocated_to(runner.runner_id):
            assert execution.allocation
            if execution.allocation.session != runner.session:
                self._requeue(execution)
        if before is None or before.gone or before.session != runner.session:
            for execution in self._allocated_to(runner.runner_id):
                self.fleet.hold(execution)
        if isinstance(event, RunnerHeartbeat):
            self._compare(runner, event, now)

    def _compare(self, runner: Runner, heartbeat: RunnerHeartbeat, now: datetime) -> None:
        """Tell a runner again what its heartbeat shows that it does not know."""
        running = {(r.experiment_id, r.trial_id, r.lease_number): r for r in heartbeat.running}
        for execution in self._allocated_to(runner.runner_id):
            allocation = execution.allocation
            assert allocation
            entry = running.pop((*execution.key, execution.lease_number), None)
            if entry is None:
                if now - datetime.fromisoformat(allocation.granted_at) > self._timing.grant_grace:
                    self._tell(execution, orders.grant(execution, self._share(execution.experiment_id)))
            elif not self._share(execution.experiment_id).active or execution.want() in (
                Want.REST,
                Want.OVER,
            ):
                self._tell(execution, orders.take_back(execution))
            elif entry.train_until.amount < allocation.train_until:
                self._tell(execution, orders.extend(execution))
        for experiment_id, trial_id, lease_number in running:
            stale = AllocationRevoked(
                runner_id=runner.runner_id, trial_id=trial_id, lease_number=lease_number, kill=True
            )
            self._messages.append(Message(experiment_id, stale))

    def _lose(self, runner: Runner) -> None:
        runner.gone = True
        runner.used.clear()
        self.changed_runners.add(runner.runner_id)
        for execution in self._allocated_to(runner.runner_id):
            self._requeue(execution)

    def _allocated_to(self, runner_id: str) -> list[Execution]:
        return [self.executions[key] for key in sorted(self._allocated.get(runner_id, ()))]

    # Allocations

    def _grant(self, placement: Placement, now: datetime) -> None:
        execution = placement.execution
        execution.lease_number += 1
        execution.allocation = Allocation(
            placement.runner_id, placement.session, placement.slots, execution.target, now.isoformat()
        )
        self._hold(execution, execution.allocation)
        self._waiting.pop(execution.key, None)
        self.changed.add(execution.key)
        self._tell(execution, orders.grant(execution, self._share(execution.experiment_id)))

    def _take_back(self, execution: Execution) -> None:
        """Order the slots back, once; heartbeats tell whether the order must be said again."""
        order = orders.take_back(execution)
        said = "kill" if isinstance(order, AllocationRevoked) and order.kill else order.name()[1]
        allocation = execution.allocation
        assert allocation
        if allocation.taken_back != said:
            allocation.taken_back = said
            self.changed.add(execution.key)
            self._tell(execution, order)

    def _requeue(self, execution: Execution) -> None:
        """Its runner is lost: back into the queue, with its latest checkpoint."""
        self._free(execution)
        self.changed.add(execution.key)
        self._reconcile(execution)

    def _hold(self, execution: Execution, allocation: Allocation) -> None:
        self.fleet.hold(execution)
        self._allocated.setdefault(allocation.runner_id, set()).add(execution.key)
        self._count_slots(execution, +1)

    def _free(self, execution: Execution) -> None:
        assert execution.allocation
        self.fleet.free(execution)
        self._allocated[execution.allocation.runner_id].discard(execution.key)
        self._count_slots(execution, -1)
        execution.allocation = None

    def _count_slots(self, execution: Execution, sign: int) -> None:
        held = self._slots_held.get(execution.experiment_id, 0)
        self._slots_held[execution.experiment_id] = held + sign * execution.slots_needed

    # Small things

    def _share(self, experiment_id: str) -> Share:
        share = self.shares.get(experiment_id)
        if share is None:
            share = self.shares[experiment_id] = Share(experiment_id, self.pool)
        return share

    def _tell(self, execution: Execution, event: Event) -> None:
        self._messages.append(Message(execution.experiment_id, event))

    def _take_messages(self) -> list[Message]:
        messages, self._messages = self._messages, []
        return messages


def _pause(execution: Execution, length: int) -> None:
    execution.paused_at = max(execution.paused_at, length)


def _exit(execution: Execution, ended: AllocationEnded, reason: ExitReason) -> dict[str, object]:
    return TrialExited(
        trial_id=execution.trial_id,
        reason=reason,
        restarts=execution.restarts,
        detail=ended.detail,
        log_tail=ended.log_tail,
    ).to_json()
