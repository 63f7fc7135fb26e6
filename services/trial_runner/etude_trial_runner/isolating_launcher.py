"""IsolatingLauncher: starts each trial as isolated as its configuration wants."""

from collections.abc import Callable, Mapping

from etude.core.assignment import Assignment
from etude.core.link import Message
from etude_trial_runner.launcher import Launcher, LaunchError, TrialProcess


class IsolatingLauncher:
    """Hands a trial to the launcher of its isolation level.

    Parameters
    ----------
    launchers : by level
    """

    def __init__(self, launchers: Mapping[str, Launcher]) -> None:
        self._launchers = launchers

    async def launch(
        self, assignment: Assignment, heard: Callable[[Message], None], wrote: Callable[[str, str], None]
    ) -> TrialProcess:
        """Start a process."""
        launcher = self._launchers.get(assignment.isolation)
        if launcher is None:
            raise LaunchError(f"this runner cannot isolate trials by {assignment.isolation}")
        return await launcher.launch(assignment, heard, wrote)

    async def close(self) -> None:
        """End everything."""
        for launcher in self._launchers.values():
            await launcher.close()
