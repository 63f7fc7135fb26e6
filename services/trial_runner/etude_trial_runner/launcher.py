"""Launcher: the port behind which a trial's process runs."""

from collections.abc import Callable
from typing import Protocol

from etude.core.assignment import Assignment
from etude.core.link import Message


class LaunchError(RuntimeError):
    """The process could not be started."""


class TrialProcess(Protocol):
    """One running process of a trial."""

    @property
    def pid(self) -> int:
        """Its number on this machine."""

    def send(self, message: Message) -> None:
        """Tell it something; lost if it is gone."""

    @property
    def alive(self) -> bool:
        """Is it there, running or suspended?"""

    def suspend(self) -> None:
        """Stop it and all that it started, where they are."""

    def resume(self, heard: Callable[[Message], None], wrote: Callable[[str, str], None]) -> None:
        """Let it go on, and hand over what it says to others from now on."""

    def kill(self) -> None:
        """End it and all that it started, at once."""

    async def wait(self) -> int:
        """Its exit code (a signal counts negative), once it is gone and all that it said was handed over."""


class Launcher(Protocol):
    """Starts processes."""

    async def launch(
        self, assignment: Assignment, heard: Callable[[Message], None], wrote: Callable[[str, str], None]
    ) -> TrialProcess:
        """Start a process.

        Parameters
        ----------
        heard : is called with each message of the process
        wrote : is called with ``stdout`` or ``stderr`` and each line that it writes

        Raises
        ------
        LaunchError
            It could not be started.
        """

    async def close(self) -> None:
        """End everything."""
