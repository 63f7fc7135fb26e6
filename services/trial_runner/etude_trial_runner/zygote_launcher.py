"""ZygoteLauncher: trials as real processes, forked from a warm zygote."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import structlog

from etude.core.assignment import Assignment, door
from etude.core.link import Message
from etude_trial_runner.assignments import write_assignment
from etude_trial_runner.launcher import LaunchError
from etude_trial_runner.local_process import Channels, LocalProcess
from etude_trial_runner.preload import PYTORCH
from etude_trial_runner.work_folder import MARK
from etude_trial_runner.zygote import HELD_BACK, MAX_REQUEST

_ZYGOTE_GONE = "the process that trials are forked from is gone (out of memory?), and the trial with it"

log = structlog.get_logger("etude.runner")


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    """A process that is started meanwhile begins with these signals blocked; it is not ended before it ignores them.

    Those that come to this process are handled at the end.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class ZygoteLauncher:
    """Keeps one zygote, and forks from it.

    Parameters
    ----------
    work : a folder for assignment files
    preload : modules that it imports before the first trial
    """

    def __init__(self, work: Path, preload: Sequence[str] = PYTORCH) -> None:
        self._work = work
        self._preload = preload
        self._socket: socket.socket | None = None
        self._zygote: asyncio.subprocess.Process | None = None
        self._trials: dict[int, LocalProcess] = {}
        self._early_exits: dict[int, int] = {}
        self._forked: asyncio.Queue[int] = asyncio.Queue()
        self._ready = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    async def start(self) -> None:
        """Start the zygote; returns when it has imported what it preloads."""
        self._work.mkdir(parents=True, exist_ok=True)
        self._ready.clear()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, _signals_held_back():
            self._zygote = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "etude_trial_runner.zygote",
                str(theirs.fileno()),
                *self._preload,
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, MARK: str(self._work.resolve())},
                start_new_session=True,  # signals to our process group, such as Ctrl-C, are ours to handle
            )
        ours.setblocking(False)
        self._socket = ours
        asyncio.get_running_loop().add_reader(ours.fileno(), self._hear)
        await self._ready.wait()
        if self._socket is None:
            raise LaunchError(
                f"the process that trials are forked from ended while it imported {', '.join(self._preload)}; "
                "see its output above, and ETUDE_PRELOAD"
            )

    async def launch(
        self, assignment: Assignment, heard: Callable[[Message], None], wrote: Callable[[str, str], None]
    ) -> LocalProcess:
        """Fork a process."""
        async with self._one_at_a_time:
            if self._socket is None:
                await self.start()
            assert self._socket is not None
            file = write_assignment(assignment, self._work)
            with Channels() as channels:
                request = json.dumps({"assignment": str(file)}).encode()
                socket.send_fds(self._socket, [request], channels.passed)
            pid = await self._forked.get()
        if pid < 0:
            raise LaunchError(
                "the process that trials are forked from is gone; it is started again with the next trial"
            )
        trial = LocalProcess(pid, heard, wrote)
        trial.exited.add_done_callback(lambda _: file.unlink(missing_ok=True))
        if pid in self._early_exits:
            trial.exited.set_result(self._early_exits.pop(pid))
        else:
            self._trials[pid] = trial
        try:
            await trial.listen(channels)
            if assignment.temporary:
                await trial.open_door(door(assignment))
        except OSError:
            trial.kill()  # it runs already, and nobody would look after it
            raise
        return trial

    async def close(self) -> None:
        """End the zygote and all trials."""
        trials = list(self._trials.values())
        for trial in trials:
            trial.kill()
        if self._zygote is not None and self._zygote.returncode is None:
            await asyncio.wait([trial.exited for trial in trials], timeout=5) if trials else None
            self._disconnect()
            try:
                await asyncio.wait_for(self._zygote.wait(), 5)
            except TimeoutError:
                self._zygote.kill()
                await self._zygote.wait()

    def _hear(self) -> None:
        assert self._socket is not None
        try:
            body = self._socket.recv(MAX_REQUEST)
        except BlockingIOError:
            return
        except ConnectionResetError:
            body = b""
        if not body:
            log.error("the process that trials are forked from is gone; its trials are lost")
            self._disconnect()
            return
        message = json.loads(body)
        if "ready" in message:
            self._ready.set()
        elif "forked" in message:
            self._forked.put_nowait(message["forked"])
        else:
            pid, code = message["exited"], message["code"]
            trial = self._trials.pop(pid, None)
            if trial is None:
                self._early_exits[pid] = code
            else:
                trial.exited.set_result(code)

    def _disconnect(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
        self._ready.set()
        if self._one_at_a_time.locked():
            self._forked.put_nowait(-1)
        for trial in self._trials.values():
            trial.kill()
            if not trial.exited.done():
                trial.say({"say": "failed", "detail": _ZYGOTE_GONE})
                trial.exited.set_result(-signal.SIGKILL)
        self._trials.clear()
