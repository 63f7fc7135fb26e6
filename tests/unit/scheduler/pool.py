"""Pool: a scheduler with runners and trials, driven event by event."""

from datetime import datetime

from etude.events import (
    AllocationEnded,
    AllocationGranted,
    CheckpointReference,
    CloseReason,
    EndReason,
    Event,
    ExperimentActivated,
    Length,
    RunnerHeartbeat,
    RunnerJoined,
    RunningTrial,
    Slot,
    TrialClosed,
    TrialContinued,
    TrialRequested,
    ValidationCompleted,
)
from etude_scheduler.execution import Execution
from etude_scheduler.scheduler import Scheduler, Timing
from tests.unit.make import MODEL, later, raw_config


class Pool:
    """Hears events of experiment ``exp`` and remembers what was told."""

    def __init__(self, timing: Timing | None = None, **resources: object) -> None:
        self.scheduler = Scheduler("default", timing)
        self.now: datetime = later(0)
        self.closed: list[Execution] = []  # left memory
        config = raw_config(resources=resources, max_restarts=2)
        self.activated = ExperimentActivated(revision=0, config=config, model_definition=MODEL)

    def at(self, seconds: float) -> "Pool":
        """Move the clock."""
        self.now = later(seconds)
        return self

    def hear(self, *events: Event, experiment_id: str = "exp") -> list[Event]:
        """Take events in, place what can be placed; returns what is told."""
        told = []
        for event in events:
            told += self.scheduler.hear(experiment_id, event, self.now)
        told += self.scheduler.tick(self.now)
        told += self.scheduler.place(self.now)
        self.closed += [e for e in self.scheduler.executions.values() if not e.open]
        self.scheduler.committed()
        return [message.event for message in told]

    def start(self, *trials: int) -> list[Event]:
        """Activate the experiment and request trials."""
        return self.hear(self.activated, *(requested(trial) for trial in trials))

    def execution(self, trial_id: int, experiment_id: str = "exp") -> Execution:
        """A trial as the scheduler knows it."""
        return self.scheduler.executions[experiment_id, trial_id]


def requested(trial_id: int, length: int = 100, slots: float = 1) -> TrialRequested:
    return TrialRequested(
        trial_id=trial_id,
        hyperparameters={"n": trial_id},
        seed=trial_id,
        slots=slots,
        train_until=Length.batches(length),
    )


def continued(trial_id: int, length: int) -> TrialContinued:
    return TrialContinued(trial_id=trial_id, train_until=Length.batches(length))


def closed(trial_id: int, reason: CloseReason = CloseReason.FINISHED) -> TrialClosed:
    return TrialClosed(trial_id=trial_id, reason=reason)


def joined(runner_id: str = "a", slots: int = 1, session: str = "1") -> RunnerJoined:
    return RunnerJoined(runner_id=runner_id, session=session, slots=[Slot(id=str(n)) for n in range(slots)])


def heartbeat(
    *running: tuple[int, int, int], runner_id: str = "a", slots: int = 1, session: str = "1", draining: bool = False
) -> RunnerHeartbeat:
    """A heartbeat that lists (trial, lease number, train until)."""
    return RunnerHeartbeat(
        runner_id=runner_id,
        session=session,
        slots=[Slot(id=str(n)) for n in range(slots)],
        draining=draining,
        running=[
            RunningTrial(experiment_id="exp", trial_id=t, lease_number=lease, train_until=Length.batches(until))
            for t, lease, until in running
        ],
    )


def result(
    trial_id: int, length: int = 100, lease_number: int = 1, checkpoint: str | None = None
) -> ValidationCompleted:
    return ValidationCompleted(
        trial_id=trial_id,
        lease_number=lease_number,
        length=Length.batches(length),
        metrics={"loss": 1.0},
        checkpoint=CheckpointReference(uri=checkpoint, length=length) if checkpoint else None,
    )


def ended(
    trial_id: int, reason: EndReason = EndReason.FINISHED, lease_number: int = 1, runner_id: str = "a", detail: str = ""
) -> AllocationEnded:
    return AllocationEnded(
        runner_id=runner_id, trial_id=trial_id, lease_number=lease_number, reason=reason, detail=detail, log_tail=["oh"]
    )


def grants(events: list[Event]) -> list[tuple[int, str, int]]:
    """(trial, runner, lease number) of each grant."""
    return [(e.trial_id, e.runner_id, e.lease_number) for e in events if isinstance(e, AllocationGranted)]
