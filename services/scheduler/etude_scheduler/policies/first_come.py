"""First come, first served: the longest waiting trial goes first, to the runner it fills best."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from etude_scheduler.execution import Execution
from etude_scheduler.fleet import Fleet
from etude_scheduler.share import Share


@dataclass(frozen=True)
class Placement:
    """A trial and the slots that it gets."""

    execution: Execution
    runner_id: str
    session: str
    slots: list[str]


def first_come(
    waiting: Iterable[Execution], fleet: Fleet, shares: Mapping[str, Share], slots_held: Mapping[str, int]
) -> list[Placement]:
    """Place as many waiting trials as fit.

    A trial that needs more slots than any runner has free, or than its experiment may still take, waits without
    holding up those behind it.

    Parameters
    ----------
    slots_held : how many slots each experiment holds now
    """
    free = {runner.runner_id: runner.free for runner in fleet.open()}
    sessions = {runner.runner_id: runner.session for runner in fleet.open()}
    held = dict(slots_held)
    placements: list[Placement] = []
    for execution in sorted(waiting, key=lambda e: (e.requested_at, e.experiment_id, e.trial_id)):
        need, experiment_id = execution.slots_needed, execution.experiment_id
        limit = shares[experiment_id].max_slots
        if limit is not None and held.get(experiment_id, 0) + need > limit:
            continue
        fitting = [runner_id for runner_id, slots in free.items() if len(slots) >= need]
        if not fitting:
            continue
        runner_id = min(fitting, key=lambda r: (len(free[r]) - need, r))
        slots, free[runner_id] = free[runner_id][:need], free[runner_id][need:]
        held[experiment_id] = held.get(experiment_id, 0) + need
        placements.append(Placement(execution, runner_id, sessions[runner_id], slots))
    return placements
