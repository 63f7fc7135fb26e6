"""Orders: what a runner is told about a trial that it holds slots for. Pure."""

from etude.events import (
    AllocationExtended,
    AllocationGranted,
    AllocationReleased,
    AllocationRevoked,
    CheckpointReference,
    CloseReason,
    Gang,
)
from etude_scheduler.execution import Allocation, Execution, Member, Want
from etude_scheduler.need import Need
from etude_scheduler.share import Share


def grant(execution: Execution, share: Share, member: Member) -> AllocationGranted:
    """Start it; says all that a runner needs to know."""
    allocation = _allocation(execution)
    assert share.config is not None
    checkpoint = execution.checkpoint
    return AllocationGranted(
        runner_id=member.runner_id,
        trial_id=execution.trial_id,
        lease_number=execution.lease_number,
        slots=member.slots,
        share=Need(execution.slots).share,
        gang=_gang(allocation, member),
        config=share.config,
        model_definition=share.definition,
        hyperparameters=execution.hyperparameters,
        trial_seed=execution.seed,
        train_until=execution.train_until,
        checkpoint=CheckpointReference.model_validate(checkpoint) if checkpoint else None,
        restarts=execution.restarts,
    )


def extend(execution: Execution, member: Member) -> AllocationExtended:
    """Train it further."""
    return AllocationExtended(
        runner_id=member.runner_id,
        trial_id=execution.trial_id,
        lease_number=execution.lease_number,
        train_until=execution.train_until,
    )


def take_back(execution: Execution, member: Member) -> AllocationReleased | AllocationRevoked:
    """End it: released if it has nothing left to do, else revoked; killed if nothing of it is wanted any more."""
    about = {
        "runner_id": member.runner_id,
        "trial_id": execution.trial_id,
        "lease_number": execution.lease_number,
    }
    killed = execution.closed == CloseReason.KILLED or _allocation(execution).taken_back == "kill"
    if killed or not (execution.over or execution.want() is Want.REST):
        return AllocationRevoked.model_validate({**about, "kill": killed})
    paused = execution.want() is Want.REST and not execution.over
    return AllocationReleased.model_validate({**about, "paused": paused})


def evict(execution: Execution, runner_id: str, lease_number: int) -> AllocationRevoked:
    """End a process that rests in memory for nothing."""
    return AllocationRevoked(runner_id=runner_id, trial_id=execution.trial_id, lease_number=lease_number, kill=True)


def let_go(execution: Execution, runner_id: str) -> AllocationReleased:
    """End what has nothing left to do, and whose slots are somebody else's by now."""
    return AllocationReleased(runner_id=runner_id, trial_id=execution.trial_id, lease_number=execution.lease_number)


def _gang(allocation: Allocation, member: Member) -> Gang | None:
    """What a member must know of the others, if there are any."""
    if len(allocation.members) == 1:
        return None
    meeting_place = None if member is allocation.members[0] else allocation.rendezvous
    return Gang(size=allocation.size, first_rank=allocation.first_rank(member), rendezvous=meeting_place)


def _allocation(execution: Execution) -> Allocation:
    assert execution.allocation is not None, f"trial {execution.key} holds no slots"
    return execution.allocation
