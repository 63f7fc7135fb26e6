"""Standing: what there is to see of a pool: runners, claims, and why trials wait. Pure."""

from collections.abc import Callable
from datetime import datetime

from etude.events import ClaimStanding, PoolReported, RunnerStanding
from etude_scheduler.claim import Claim, Claims
from etude_scheduler.execution import Execution, document_id
from etude_scheduler.fleet import Fleet
from etude_scheduler.policies import Policy


def report(
    pool: str,
    claims: Claims,
    fleet: Fleet,
    policy: Policy,
    running: Callable[[str], list[Execution]],
    avoid_since: datetime,
) -> PoolReported:
    """A pool as it is.

    Parameters
    ----------
    running : the trials that hold slots of a runner
    avoid_since : trials avoid runners on which they have failed at their start since then
    """
    runners = [
        RunnerStanding(
            runner_id=runner.runner_id,
            state=runner.state,
            reason=runner.disabled or runner.refusing,
            host=runner.host,
            labels=runner.labels,
            slots=len(runner.slots),
            held=round(runner.held, 6),
            kind=runner.kind,
            trials=[document_id(execution.key) for execution in running(runner.runner_id)],
        )
        for _, runner in sorted(fleet.runners.items())
    ]
    order = sorted(claims.waiting(), key=lambda claim: policy.order(claim, claims.typical))
    place = {claim.experiment_id: number for number, claim in enumerate(order)}
    standings = [
        ClaimStanding(
            experiment_id=claim.experiment_id,
            weight=claim.share.weight,
            priority=claim.share.priority,
            held=round(claim.held, 6),
            waiting=claim.waiting,
            next_trial=claim.first.trial_id if claim.waiting else None,
            reason=why_waiting(claim, fleet, policy, place.get(claim.experiment_id, 0), avoid_since),
        )
        for claim in claims
        if claim.waiting or claim.held
    ]
    return PoolReported(pool=pool, policy=policy.name, runners=runners, claims=standings)


def why_waiting(claim: Claim, fleet: Fleet, policy: Policy, ahead: int, avoid_since: datetime) -> str:
    """Why the next trial of a claim is not running; empty if none waits.

    Parameters
    ----------
    ahead : how many other experiments go before it
    """
    if not claim.waiting:
        return ""
    if claim.share.config is None:
        return "its experiment has not been heard of yet"
    if not claim.share.active:
        return f"its experiment is {claim.share.state}"
    if claim.at_limit:
        return f"its experiment holds {claim.held:g} slots and may hold {claim.share.max_slots} (resources.max_slots)"
    told = [fleet.why_not(claim.need_of(claim.first, avoid_since))]
    if ahead:
        told.append(f"{ahead} other experiment{'' if ahead == 1 else 's'} go first by {policy.name}")
    return "; ".join(told + [said for said in [policy.standing(claim)] if said])
