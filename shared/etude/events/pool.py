"""Events about resource pools: what the scheduler of one sees, for people to look at."""

from typing import Annotated, ClassVar

from pydantic import Field

from etude.events.event import Event, Record, TrialId


class RunnerStanding(Record):
    """One runner as its scheduler sees it."""

    runner_id: str
    state: Annotated[str, Field(description="ready, refusing, draining, disabled or gone.")]
    reason: str = ""
    host: str = ""
    labels: list[str] = []
    slots: Annotated[int, Field(ge=0)]
    held: Annotated[float, Field(ge=0, description="Slots that trials hold.")]
    kind: str = "cpu"
    trials: Annotated[list[str], Field(description="experiment/trial of each allocation.")] = []


class ClaimStanding(Record):
    """What one experiment holds of a pool, and why it holds no more."""

    experiment_id: str
    weight: float = 1.0
    priority: int = 50
    held: Annotated[float, Field(ge=0, description="Slots.")] = 0.0
    waiting: Annotated[int, Field(ge=0, description="Trials.")] = 0
    next_trial: TrialId | None = None
    reason: Annotated[str, Field(description="Why the next trial is not running.")] = ""


class PoolReported(Event):
    """The state of a pool, told when it changes, but not more often than every few seconds."""

    type: ClassVar[str] = "etude.pool.reported.v1"

    pool: str
    policy: str
    runners: list[RunnerStanding]
    claims: list[ClaimStanding]
