"""Priority: the more important experiment first."""

from collections.abc import Mapping
from typing import Any

from etude_scheduler.claim import Claim
from etude_scheduler.policies.policy import Policy


class Priority(Policy):
    """A smaller priority number goes first and takes slots from greater ones; equals take turns.

    Strict: what is less important waits as long as anything more important does.
    """

    name = "priority"
    preempts = True

    def order(self, claim: Claim, typical: float) -> tuple[Any, ...]:
        return claim.share.priority, claim.served, claim.experiment_id

    def may_preempt(self, claim: Claim, need: float, victim: Claim, size: float, held: Mapping[str, float]) -> bool:
        return claim.share.priority < victim.share.priority

    def standing(self, claim: Claim) -> str:
        return f"its priority is {claim.share.priority}"
