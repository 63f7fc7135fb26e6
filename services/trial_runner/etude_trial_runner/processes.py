"""Processes: those of one trial on this machine, from their start to their end. One failure ends all."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from etude.core.assignment import Assignment
from etude.core.link import Message
from etude_trial_runner.launcher import Launcher, TrialProcess
from etude_trial_runner.residents import Resident

Heard = Callable[[Message, int], None]
"""Is called with each message of a process, and its rank."""
Wrote = Callable[[str, str, int], None]
"""Is called with the stream, each line that a process writes, and its rank."""


class Processes:
    """The processes of one trial on this machine.

    Parameters
    ----------
    launcher : starts them
    heard, wrote : are told what they say and write
    prefix : how the name of their temporary folder begins
    """

    def __init__(self, launcher: Launcher, heard: Heard, wrote: Wrote, prefix: str = "etude-trial-") -> None:
        self._launcher = launcher
        self._prefix = prefix
        self._heard, self._wrote = heard, wrote
        self._members: list[TrialProcess] = []
        self._killed = False
        self._rests = asyncio.Event()
        self._temporary: Path | None = None

    def __len__(self) -> int:
        return len(self._members)

    @property
    def temporary(self) -> Path:
        """Their temporary folder, made when it is first asked for."""
        if self._temporary is None:
            self._temporary = Path(tempfile.mkdtemp(prefix=self._prefix))  # short: sockets lie there
        return self._temporary

    def pids(self) -> list[int]:
        """Their numbers on this machine, as far as they are known by now."""
        return [process.pid for process in self._members]

    @property
    def kept(self) -> bool:
        """Is the process to rest instead of ending?"""
        return self._rests.is_set() and not self._killed

    @property
    def first(self) -> TrialProcess:
        """The one with the lowest rank."""
        return self._members[0]

    async def launch(self, assignments: Iterable[Assignment]) -> None:
        """Start them, unless they were killed before.

        Raises
        ------
        LaunchError
            One of them could not be started.
        """
        for assignment in assignments:
            if not self._killed:
                heard, wrote = self._ears(assignment.rank)
                self._members.append(await self._launcher.launch(assignment, heard, wrote))
        if self._killed:  # while one was started
            self._kill_members()

    def wake(self, resident: Resident) -> None:
        """Let the process of a trial that rested go on."""
        self._temporary = Path(resident.temporary)
        self._members = [resident.process]
        resident.process.resume(*self._ears(0))

    def tell(self, message: Message) -> None:
        """Tell the first one; it tells the others."""
        if self._members:
            self.first.send(message)

    def kill(self) -> None:
        """End them at once, and start no more."""
        self._killed = True
        self._kill_members()

    def rest(self) -> bool:
        """Let the one process rest, so that :meth:`wait` returns; False if there are several."""
        if len(self._members) == 1 and not self._killed:
            self._rests.set()
        return self._rests.is_set()

    async def wait(self) -> int:
        """The exit code of the first one that fails, upon which all are killed; else 0, also if it rests."""
        resting = asyncio.create_task(self._rests.wait())
        ending = asyncio.create_task(self._until_ended())
        try:
            await asyncio.wait([resting, ending], return_when=asyncio.FIRST_COMPLETED)
            return ending.result() if ending.done() else 0
        finally:
            resting.cancel()
            ending.cancel()

    def clear(self) -> None:
        """See that nothing is left of them, unless one rests."""
        if not self.kept:
            self._kill_members()
            if self._temporary is not None:
                shutil.rmtree(self._temporary, ignore_errors=True)

    def _ears(self, rank: int) -> tuple[Callable[[Message], None], Callable[[str, str], None]]:
        """What the launcher is to call for the process of that rank."""
        return (
            lambda message: self._heard(message, rank),
            lambda stream, text: self._wrote(stream, text, rank),
        )

    async def _until_ended(self) -> int:
        waiting = [asyncio.ensure_future(process.wait()) for process in self._members]
        failed = 0
        try:
            for ended in asyncio.as_completed(waiting):
                code = await ended
                if code != 0 and failed == 0:
                    failed = code
                    self._kill_members()
        finally:
            for task in waiting:
                task.cancel()
        return failed

    def _kill_members(self) -> None:
        for process in self._members:
            if process.alive:
                process.kill()
