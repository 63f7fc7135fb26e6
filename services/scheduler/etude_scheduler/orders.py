"""Orders: what a runner is told about a trial that it holds slots for. Pure."""

from etude.events import (
    AllocationExtended,
    AllocationGranted,
    AllocationReleased,
    AllocationRevoked,
    CheckpointReference,
    CloseReason,
)
from etude_scheduler.execution import Allocation, Execution, Want
from etude_scheduler.share import Share


def grant(execution: Execution, share: Share) -> AllocationGranted:
    """Start it; says all that a runner needs to know."""
    allocation = _allocation(execution)
    assert share.config is not None
    checkpoint = execution.checkpoint
    return AllocationGranted(
        runner_id=allocation.runner_id,
        trial_id=execution.trial_id,
        lease_number=execution.lease_number,
        slots=allocation.slots,
        config=share.config,
        model_definition=share.definition,
        hyperparameters=execution.hyperparameters,
        trial_seed=execution.seed,
        train_until=execution.train_until,
        checkpoint=CheckpointReference.model_validate(checkpoint) if checkpoint else None,
        restarts=execution.restarts,
    )


def extend(execution: Execution) -> AllocationExtended:
    """Train it further."""
    return AllocationExtended(
        runner_id=_allocation(execution).runner_id,
        trial_id=execution.trial_id,
        lease_number=execution.lease_number,
        train_until=execution.train_until,
    )


def take_back(execution: Execution) -> AllocationReleased | AllocationRevoked:
    """End it: released if it has nothing left to do, else revoked; killed if nothing of it is wanted any more."""
    allocation = _allocation(execution)
    about = {
        "runner_id": allocation.runner_id,
        "trial_id": execution.trial_id,
        "lease_number": execution.lease_number,
    }
    killed = execution.closed == CloseReason.KILLED
    if killed or not (execution.over or execution.want() is Want.REST):
        return AllocationRevoked.model_validate({**about, "kill": killed})
    return AllocationReleased.model_validate(about)


def _allocation(execution: Execution) -> Allocation:
    assert execution.allocation is not None, f"trial {execution.key} holds no slots"
    return execution.allocation
