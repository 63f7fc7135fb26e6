"""BubblewrapLauncher: trials in a sandbox: the machine read-only, /tmp and /proc of their own, perhaps no network."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from etude.artifacts.storage import filesystem, is_local
from etude.core.assignment import Assignment, door
from etude.core.link import Message
from etude_trial_runner.assignments import write_assignment
from etude_trial_runner.launcher import LaunchError
from etude_trial_runner.local_process import Channels, LocalProcess, children_of
from etude_trial_runner.work_folder import MARK


class SandboxedTrial(LocalProcess):
    """A process in a sandbox; signals must reach into it."""

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all that runs in the sandbox."""
        for process in children_of(self.pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)


class BubblewrapLauncher:
    """Starts a Python for each process: what it takes to import torch is the price.

    Parameters
    ----------
    work : a folder for assignment files
    """

    def __init__(self, work: Path) -> None:
        self._work = work
        self._trials: set[SandboxedTrial] = set()

    async def launch(
        self, assignment: Assignment, heard: Callable[[Message], None], wrote: Callable[[str, str], None]
    ) -> SandboxedTrial:
        """Start a process in a sandbox of its own."""
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            raise LaunchError(
                "environment.isolation is bubblewrap, and this runner has no bwrap: install bubblewrap, or choose "
                "runners that have it, by resources.runner_labels"
            )
        check_network(assignment)
        file = write_assignment(assignment, self._work)
        with Channels() as channels:
            process = await asyncio.create_subprocess_exec(
                bwrap,
                *sandbox(assignment, file),
                *(sys.executable, "-m", "etude_trial_runner.cold", str(file), *map(str, channels.passed)),
                pass_fds=channels.passed,
                stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, MARK: str(self._work.resolve())},
                start_new_session=True,
            )
        trial = SandboxedTrial(process.pid, heard, wrote)
        await trial.listen(channels)
        if assignment.temporary:
            await trial.open_door(door(assignment))
        ending = asyncio.create_task(_tell_exit(process, trial))
        self._trials.add(trial)
        trial.exited.add_done_callback(lambda _: self._trials.discard(trial))
        trial.exited.add_done_callback(lambda _: file.unlink(missing_ok=True))
        trial.exited.add_done_callback(lambda _: ending)  # which is so held until then
        return trial

    async def close(self) -> None:
        """End all trials."""
        for trial in list(self._trials):
            trial.kill()


async def _tell_exit(process: asyncio.subprocess.Process, trial: SandboxedTrial) -> None:
    code = await process.wait()
    if not trial.exited.done():
        trial.exited.set_result(signal_as_negative(code))


def signal_as_negative(code: int) -> int:
    """The exit code of a trial's process, of which the process around it tells a signal as 128 and its number.

    >>> signal_as_negative(139), signal_as_negative(7)
    (-11, 7)
    """
    return 128 - code if code > 128 else code


def check_network(assignment: Assignment) -> None:
    """See that processes which must meet may use the network.

    Raises
    ------
    LaunchError
        They may not.
    """
    if assignment.size > 1 and not assignment.network:
        raise LaunchError("a trial of several processes needs environment.network: they meet over it")


def sandbox(assignment: Assignment, assignment_file: Path) -> list[str]:
    """The arguments of bwrap, but for the program."""
    arguments = ["--ro-bind", "/", "/", "--proc", "/proc", "--tmpfs", "/tmp", "--unshare-pid", "--die-with-parent"]
    arguments += ["--dev-bind", "/dev", "/dev"] if assignment.kind == "cuda" else ["--dev", "/dev"]
    if not assignment.network:
        arguments.append("--unshare-net")
    needed = {sys.prefix, sys.base_prefix, *filter(None, sys.path), assignment.model_directory, str(assignment_file)}
    for path in sorted(path for path in needed if path.startswith("/tmp/") and Path(path).exists()):
        arguments += ["--ro-bind", path, path]
    for folder in writable(assignment):
        arguments += ["--bind", folder, folder]
    return arguments


def writable(assignment: Assignment) -> list[str]:
    """The folders that a trial may write to: its temporary one and the storage, if that is a folder."""
    folders = [assignment.temporary] if assignment.temporary else []
    if is_local(assignment.storage):
        storage = filesystem(assignment.storage)[1]
        Path(storage).mkdir(parents=True, exist_ok=True)
        folders.append(storage)
    return folders
