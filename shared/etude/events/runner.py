"""Events about runners: who is there, with what, doing what."""

from typing import Annotated, ClassVar

from pydantic import Field

from etude.events.event import Event, LeaseNumber, Record, Timestamp, TrialId
from etude.events.length import Length


class Slot(Record):
    """One GPU, or one CPU share."""

    id: str
    kind: str = "cpu"
    name: str = ""
    memory: Annotated[int, Field(ge=0, description="Bytes; 0 where unknown.")] = 0


Cores = Annotated[int, Field(ge=1, description="CPU cores: how many trials without a slot may run at a time.")]


class RunningTrial(Record):
    """One allocation as the runner sees it."""

    experiment_id: str
    trial_id: TrialId
    lease_number: LeaseNumber
    train_until: Length
    rendezvous: str | None = None
    stopping: Annotated[bool, Field(description="It was told to end, and will.")] = False


class RunnerJoined(Event):
    """A runner is there. A new ``session`` under a known id means that it lost all it ran before."""

    type: ClassVar[str] = "etude.runner.joined.v1"

    runner_id: str
    session: str
    slots: list[Slot]
    labels: list[str] = []
    host: str = ""
    cores: Cores = 1


class RunnerHeartbeat(Event):
    """A runner is still there; carries all that it knows of itself, so that a lost event costs one heartbeat."""

    type: ClassVar[str] = "etude.runner.heartbeat.v1"

    runner_id: str
    session: str
    slots: list[Slot]
    labels: list[str] = []
    host: str = ""
    cores: Cores = 1
    draining: bool = False
    refusing: Annotated[str, Field(description="Why it takes no new trial for now; empty if it does.")] = ""
    running: list[RunningTrial] = []


class RunnerDraining(Event):
    """The runner takes no new trials and will leave."""

    type: ClassVar[str] = "etude.runner.draining.v1"

    runner_id: str
    session: str


class RunnerLeft(Event):
    """The runner is gone, in order."""

    type: ClassVar[str] = "etude.runner.left.v1"

    runner_id: str
    session: str


class RunnerLogLine(Record):
    """One entry of a runner's own log."""

    time: Timestamp
    level: str
    text: str


class RunnerLogged(Event):
    """What a runner logged of itself, in order."""

    type: ClassVar[str] = "etude.runner.logged.v1"
    telemetry: ClassVar[bool] = True

    runner_id: str
    session: str
    number: Annotated[int, Field(ge=1, description="Rises by one with each such event of a session.")]
    lines: list[RunnerLogLine]


class RunnerChangeRequested(Event):
    """A person takes a runner out of service, or back into it."""

    type: ClassVar[str] = "etude.runner.change-requested.v1"

    runner_id: str
    enabled: bool
    drain: Annotated[bool, Field(description="Take its trials back, too; else they end by themselves.")] = False
    reason: str = ""
    requested_by: str = ""
