"""What does an event cost the scheduler? Microseconds an event while 1,000, 10,000 and 100,000 trials wait.

Twenty experiments share 64 slots; each event is the end of a trial, upon which the next one is placed.
"""

import time
from datetime import UTC, datetime, timedelta

from etude.events import (
    AllocationEnded,
    EndReason,
    ExperimentActivated,
    Length,
    ModelDefinition,
    RunnerJoined,
    Slot,
    TrialClosed,
    TrialRequested,
)
from etude_scheduler.policies import Policy
from etude_scheduler.policies.fair_share import FairShare
from etude_scheduler.policies.first_come import FirstCome
from etude_scheduler.policies.priority import Priority
from etude_scheduler.policies.round_robin import RoundRobin
from etude_scheduler.scheduler import Scheduler

SIZES = (1_000, 10_000, 100_000)
EXPERIMENTS, RUNNERS, SLOTS = 20, 8, 8
EVENTS = 2_000
MODEL = ModelDefinition(uri="file:///m", sha256="0" * 64, size=1)


def pool(policy: Policy, waiting: int, now: datetime) -> Scheduler:
    """A full pool with so many waiting trials."""
    scheduler = Scheduler("default", policy=policy)
    for number in range(RUNNERS):
        slots = [Slot(id=str(slot)) for slot in range(SLOTS)]
        scheduler.hear(None, RunnerJoined(runner_id=f"r{number}", session="1", slots=slots), now)
    config = {"entrypoint": "m:T", "searcher": {"name": "random", "metric": "loss", "max_trials": 1, "max_length": 1}}
    for number in range(EXPERIMENTS):
        activated = ExperimentActivated(revision=0, config=config, model_definition=MODEL)
        scheduler.hear(f"e{number}", activated, now)
        for trial_id in range(1, waiting // EXPERIMENTS + SLOTS + EVENTS // EXPERIMENTS):
            requested = TrialRequested(
                trial_id=trial_id, hyperparameters={}, seed=1, slots=1, train_until=Length.batches(1)
            )
            scheduler.hear(f"e{number}", requested, now)
    scheduler.place(now)
    scheduler.committed()
    return scheduler


def measure(policy: Policy, waiting: int) -> float:
    """Microseconds for the end of a trial and the start of the next."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    scheduler = pool(policy, waiting, now)
    running = sorted(key for key, execution in scheduler.executions.items() if execution.allocation)
    began = time.perf_counter()
    for number in range(EVENTS):
        now += timedelta(milliseconds=10)
        experiment_id, trial_id = running[number]
        execution = scheduler.executions[experiment_id, trial_id]
        assert execution.allocation
        ended = AllocationEnded(
            runner_id=execution.allocation.members[0].runner_id,
            trial_id=trial_id,
            lease_number=execution.lease_number,
            reason=EndReason.RELEASED,
        )
        scheduler.hear(experiment_id, TrialClosed(trial_id=trial_id, reason="finished"), now)
        scheduler.hear(experiment_id, ended, now)
        running += [(message.experiment_id, message.event.trial_id) for message in scheduler.place(now)]
        scheduler.committed()
    return (time.perf_counter() - began) / EVENTS * 1e6


def main() -> None:
    """Print the table."""
    print(f"{'µs an event, waiting:':24}" + "".join(f"{size:>10}" for size in SIZES))
    for policy in (FairShare(), Priority(), FirstCome(), RoundRobin()):
        print(f"{policy.name:24}" + "".join(f"{measure(policy, size):>10.0f}" for size in SIZES))


if __name__ == "__main__":
    main()
