"""Allocations: how trials get slots, run on them and give them back. Pure."""

from datetime import datetime

from etude.events import AllocationEnded, AllocationRevoked, EndReason, ExitReason, TrialExited
from etude_scheduler import orders
from etude_scheduler.execution import Allocation, Execution, Member
from etude_scheduler.ledger import Ledger
from etude_scheduler.runner_faults import RunnerFaults


class Allocations:
    """Those of one pool.

    Parameters
    ----------
    ledger : is read and changed
    faults : of runners; is told of trials that fail at their start
    """

    def __init__(self, ledger: Ledger, faults: RunnerFaults) -> None:
        self._ledger = ledger
        self._faults = faults

    def grant(self, execution: Execution, members: list[Member], now: datetime) -> None:
        """Give a trial slots, under the next lease number."""
        execution.lease_number += 1
        execution.resident = None
        execution.allocation = Allocation(members, execution.target, now.isoformat())
        claim = self._ledger.claim(execution)
        claim.remove(execution)
        claim.hold(execution.slots, now)
        self._ledger.claims.granted(claim, now)
        for member in members:
            self._ledger.hold(execution, member)
        self._ledger.changed.add(execution.key)
        self._ledger.tell(execution, orders.grant(execution, claim.share, members[0]))

    def started(self, execution: Execution, runner_id: str, rendezvous: str | None) -> None:
        """A member runs; the first of a gang tells where the others meet it."""
        allocation = execution.allocation
        member = allocation.member(runner_id) if allocation else None
        if allocation is None or member is None:
            return
        if not member.started:
            member.started = True
            self._ledger.changed.add(execution.key)
        if member is allocation.members[0] and rendezvous and allocation.rendezvous is None:
            allocation.rendezvous = rendezvous
            self._ledger.changed.add(execution.key)
            for other in allocation.present[1:]:
                self._ledger.tell(
                    execution, orders.grant(execution, self._ledger.share(execution.experiment_id), other)
                )

    def take_back(self, execution: Execution, kill: bool = False) -> None:
        """Order the slots back, once; heartbeats tell whether the order must be said again."""
        allocation = execution.allocation
        assert allocation
        before = allocation.taken_back
        allocation.taken_back = "kill" if kill else before
        told = [(member, orders.take_back(execution, member)) for member in allocation.present]
        order = told[0][1]
        allocation.taken_back = "kill" if isinstance(order, AllocationRevoked) and order.kill else order.name()[1]
        if allocation.taken_back == before:
            return
        self._ledger.changed.add(execution.key)
        for member, order in told:
            if allocation.may_start(member):
                self._ledger.tell(execution, order)
            else:  # it was not told of its part yet
                self._ledger.release(execution, member)

    def let_go(self, execution: Execution, allocation: Allocation) -> None:
        """A trial that only waited for this decision has nothing left to do: its slots are free at once.

        Its checkpoint is written. The runner starts nobody on these slots before its processes are gone.
        """
        for member in allocation.present:
            self._ledger.release(execution, member)
        self._conclude(execution, allocation)

    def lose(self, execution: Execution, member: Member) -> None:
        """A runner is lost: the trial goes back into the queue, with its latest checkpoint."""
        assert execution.allocation
        execution.allocation.lost = True
        self._ledger.release(execution, member)
        self._break_up(execution)
        self._ledger.changed.add(execution.key)

    def ended(self, execution: Execution, member: Member, event: AllocationEnded) -> None:
        """A member says how its part ended."""
        allocation = execution.allocation
        assert allocation
        failed = event.reason in (EndReason.FAILED, EndReason.INVALID_HYPERPARAMETERS)
        if not allocation.failed and (failed or member is allocation.members[0]):
            allocation.failed, allocation.outcome = failed, event.to_json()
        if event.reason is EndReason.FAILED and event.at_start and event.retryable:
            self._faults.record_failure(execution, event.runner_id)
        self._ledger.release(execution, member)
        self._break_up(execution)

    def _break_up(self, execution: Execution) -> None:
        """A gang is whole or ends; once nobody holds slots any more, the allocation is over."""
        allocation = execution.allocation
        assert allocation
        if allocation.present and (allocation.failed or allocation.lost):
            self.take_back(execution, kill=True)
        if not allocation.present:
            self._conclude(execution, allocation)

    def _conclude(self, execution: Execution, allocation: Allocation) -> None:
        """Nobody holds slots any more: what follows for the trial?"""
        execution.allocation = None
        self._ledger.claim(execution).hold(-execution.slots, self._ledger.now)
        if self._ledger.now is not None:
            self._ledger.claims.lasted(
                (self._ledger.now - datetime.fromisoformat(allocation.granted_at)).total_seconds()
            )
        if allocation.lost or allocation.outcome is None:
            return
        event = AllocationEnded.model_validate(allocation.outcome)
        if event.reason is EndReason.FAILED and not execution.over:
            if not event.retryable:
                self._exit(execution, event, ExitReason.NOT_RETRYABLE)
            elif execution.restarts >= self._ledger.share(execution.experiment_id).max_restarts:
                self._exit(execution, event, ExitReason.RESTARTS_USED_UP)
            else:
                execution.restarts += 1
        elif event.reason is EndReason.INVALID_HYPERPARAMETERS:
            self._exit(execution, event, ExitReason.INVALID_HYPERPARAMETERS)

    def _exit(self, execution: Execution, ended: AllocationEnded, reason: ExitReason) -> None:
        exited = TrialExited(
            attempt=execution.attempt,
            trial_id=execution.trial_id,
            reason=reason,
            restarts=execution.restarts,
            detail=ended.detail,
            log_tail=ended.log_tail,
        )
        execution.exited = exited.to_json()
        self._ledger.tell(execution, exited)
