"""Round robin: every experiment in turn."""

from typing import Any

from etude_scheduler.claim import Claim
from etude_scheduler.policies.policy import Policy


class RoundRobin(Policy):
    """A trial of each experiment in turn, whatever they hold."""

    name = "round_robin"

    def order(self, claim: Claim, typical: float) -> tuple[Any, ...]:
        return claim.served, claim.experiment_id
