"""First come, first served."""

from typing import Any

from etude_scheduler.claim import Claim
from etude_scheduler.policies.policy import Policy


class FirstCome(Policy):
    """The trial that was requested first goes first, whosesoever it is."""

    name = "first_come"

    def order(self, claim: Claim, typical: float) -> tuple[Any, ...]:
        return claim.first.requested_at, claim.experiment_id

    def standing(self, claim: Claim) -> str:
        return f"its next trial was requested at {claim.first.requested_at}"
