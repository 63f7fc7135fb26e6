"""Fair share: slots in proportion to weights."""

from collections.abc import Mapping
from typing import Any

from etude_scheduler.claim import Claim
from etude_scheduler.policies.policy import Policy


class FairShare(Policy):
    """Whoever will have had least for its weight goes first, and may take from those that hold more.

    What counts is time on slots, so that over time the shares hold for long and short trials and for weights that are
    no multiples of a slot: start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996) of trials whose length is not
    known, so that what is typical stands in. At any moment shares are max-min fair (Bertsekas and Gallager, *Data
    Networks*, section 6.5.2): a trial is preempted only if its experiment still holds no less for its weight
    afterwards, so no two experiments ever take from each other in turn.
    """

    name = "fair_share"
    preempts = True

    def order(self, claim: Claim, typical: float) -> tuple[Any, ...]:
        soon = (claim.held + claim.need.slots) * typical
        return (claim.service + soon) / claim.share.weight, claim.served, claim.experiment_id

    def may_preempt(self, claim: Claim, need: float, victim: Claim, size: float, held: Mapping[str, float]) -> bool:
        after = (held[claim.experiment_id] + need) / claim.share.weight
        left = (held[victim.experiment_id] - size) / victim.share.weight
        return after <= left + 1e-9

    def standing(self, claim: Claim) -> str:
        return f"it holds {claim.held:g} slots at weight {claim.share.weight:g}"
