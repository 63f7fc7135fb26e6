"""RunnerFaults: finds runners on which trials fail that work elsewhere. Pure."""

from etude_scheduler.execution import Execution
from etude_scheduler.ledger import Ledger


class RunnerFaults:
    """Judges the runners of one pool by the trials that fail at their start there.

    A trial that fails at its start may be to blame itself: a corner of its space may run out of memory on every
    machine. A runner is to blame if trials of several experiments fail at their start on it and the same trials then
    work on another one. A trial that works clears the runner that it works on.

    Parameters
    ----------
    ledger : is read and changed
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def record_failure(self, execution: Execution, runner_id: str) -> None:
        """Record that a trial failed on a runner before it reported anything."""
        assert self._ledger.now is not None
        execution.failed_at_start = {**execution.failed_at_start, runner_id: self._ledger.now.isoformat()}
        self._ledger.changed.add(execution.key)

    def record_success(self, execution: Execution) -> None:
        """Record that a trial reports a result or a checkpoint from where it runs."""
        allocation, runners = execution.allocation, self._ledger.fleet.runners
        if allocation is None:
            return
        here = allocation.members[0].runner_id
        if here in runners and runners[here].blamed_by:
            runners[here].blamed_by = []
            self._ledger.changed_runners.add(here)
        if not execution.failed_at_start:
            return
        for runner_id in sorted(execution.failed_at_start.keys() & runners.keys() - {here}):
            runners[runner_id].blame(execution.key)
            self._ledger.changed_runners.add(runner_id)
        execution.failed_at_start = {}
        self._ledger.changed.add(execution.key)
