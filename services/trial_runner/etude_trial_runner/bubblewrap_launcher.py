"""BubblewrapLauncher: trials in a sandbox: the machine read-only, /tmp and /proc of their own, perhaps no network."""

import asyncio
import contextlib
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil

from etude.artifacts.storage import filesystem, is_local
from etude.core.assignment import Assignment
from etude.core.link import Message
from etude_trial_runner.launcher import LaunchError
from etude_trial_runner.local_process import Channels, LocalProcess


class SandboxedTrial(LocalProcess):
    """A process in a sandbox; signals must reach into it."""

    def suspend(self) -> None:
        """Stop all that runs in the sandbox."""
        self._signal(signal.SIGSTOP)

    def resume(self, heard: Callable[[Message], None], wrote: Callable[[str, str], None]) -> None:
        """Let it go on."""
        super().resume(heard, wrote)
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the sandbox, and so all that is in it."""
        self._signal(signal.SIGKILL)
        super().kill()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self.pid).children(recursive=True):
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
        if assignment.size > 1 and not assignment.network:
            raise LaunchError("a trial of several processes needs environment.network: they meet over it")
        self._work.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=self._work, prefix="assignment-", delete=False) as file:
            file.write(json.dumps(assignment.to_json()))
        with Channels() as channels:
            process = await asyncio.create_subprocess_exec(
                bwrap,
                *sandbox(assignment, Path(file.name)),
                *(sys.executable, "-m", "etude_trial_runner.cold", file.name, *map(str, channels.passed)),
                pass_fds=channels.passed,
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        trial = SandboxedTrial(process.pid, heard, wrote)
        await trial.listen(channels)
        ending = asyncio.create_task(_tell_exit(process, trial))
        self._trials.add(trial)
        trial.exited.add_done_callback(lambda _: self._trials.discard(trial))
        trial.exited.add_done_callback(lambda _: Path(file.name).unlink(missing_ok=True))
        trial.exited.add_done_callback(lambda _: ending)  # which is so held until then
        return trial

    async def close(self) -> None:
        """End all trials."""
        for trial in list(self._trials):
            trial.kill()


async def _tell_exit(process: asyncio.subprocess.Process, trial: SandboxedTrial) -> None:
    code = await process.wait()
    if not trial.exited.done():
        trial.exited.set_result(128 - code if code > 128 else code)


def sandbox(assignment: Assignment, assignment_file: Path) -> list[str]:
    """The arguments of bwrap, but for the program."""
    arguments = ["--ro-bind", "/", "/", "--proc", "/proc", "--tmpfs", "/tmp", "--unshare-pid", "--die-with-parent"]
    arguments += ["--dev-bind", "/dev", "/dev"] if assignment.kind == "cuda" else ["--dev", "/dev"]
    if not assignment.network:
        arguments.append("--unshare-net")
    needed = {sys.prefix, sys.base_prefix, *filter(None, sys.path), assignment.model_directory, str(assignment_file)}
    for path in sorted(path for path in needed if path.startswith("/tmp/") and Path(path).exists()):
        arguments += ["--ro-bind", path, path]
    if is_local(assignment.storage):
        folder = filesystem(assignment.storage)[1]
        Path(folder).mkdir(parents=True, exist_ok=True)
        arguments += ["--bind", folder, folder]
    if assignment.temporary:
        arguments += ["--bind", assignment.temporary, assignment.temporary]
    return arguments
