"""ZygoteLauncher: trials as real processes, forked from a warm zygote."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import structlog

from etude.core.assignment import Assignment
from etude.core.link import Message
from etude_trial_runner.launcher import LaunchError
from etude_trial_runner.zygote import MAX_REQUEST

log = structlog.get_logger("etude.runner")

_LONGEST_LINE = 64 * 2**20
_LONGEST_OUTPUT = 64 * 2**10


class ForkedTrial:
    """A process that the zygote forked."""

    def __init__(
        self,
        pid: int,
        control: asyncio.StreamWriter,
        heard: Callable[[Message], None],
        wrote: Callable[[str, str], None],
    ) -> None:
        self.pid = pid
        self._heard, self._wrote = heard, wrote
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.readers: list[asyncio.Task[None]] = []
        self._control = control

    def send(self, message: Message) -> None:
        """Tell it something."""
        if not self._control.is_closing():
            self._control.write(json.dumps(message).encode() + b"\n")

    def say(self, message: Message) -> None:
        """The process said something: hand it to whoever listens now."""
        self._heard(message)

    def write(self, stream: str, text: str) -> None:
        """The process wrote a line: hand it to whoever listens now."""
        self._wrote(stream, text)

    @property
    def alive(self) -> bool:
        """Is it there, running or suspended?"""
        return not self.exited.done()

    def suspend(self) -> None:
        """Stop it and its session where they are."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGSTOP)

    def resume(self, heard: Callable[[Message], None], wrote: Callable[[str, str], None]) -> None:
        """Let it go on, and hand over what it says to others from now on."""
        self._heard, self._wrote = heard, wrote
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it and its descendants."""
        for kill in (os.killpg, os.kill):  # it may not have become a group leader yet
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(self.pid, signal.SIGKILL)

    async def wait(self) -> int:
        """Its exit code."""
        code = await asyncio.shield(self.exited)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # what it left behind
        await asyncio.gather(*self.readers, return_exceptions=True)
        self._control.close()
        return code


class ZygoteLauncher:
    """Keeps one zygote, and forks from it.

    Parameters
    ----------
    work : a folder for assignment files
    """

    def __init__(self, work: Path) -> None:
        self._work = work
        self._socket: socket.socket | None = None
        self._zygote: asyncio.subprocess.Process | None = None
        self._trials: dict[int, ForkedTrial] = {}
        self._early_exits: dict[int, int] = {}
        self._forked: asyncio.Queue[int] = asyncio.Queue()
        self._ready = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    async def start(self) -> None:
        """Start the zygote; returns when it has imported what it preloads."""
        self._work.mkdir(parents=True, exist_ok=True)
        self._ready.clear()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._zygote = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "etude_trial_runner.zygote",
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
            )
        ours.setblocking(False)
        self._socket = ours
        asyncio.get_running_loop().add_reader(ours.fileno(), self._hear)
        await self._ready.wait()
        if self._socket is None:
            raise LaunchError(
                "the process that trials are forked from ended while it imported torch; see its output above"
            )

    async def launch(
        self, assignment: Assignment, heard: Callable[[Message], None], wrote: Callable[[str, str], None]
    ) -> ForkedTrial:
        """Fork a process."""
        async with self._one_at_a_time:
            if self._socket is None:
                await self.start()
            assert self._socket is not None
            with tempfile.NamedTemporaryFile(
                "w", dir=self._work, prefix="assignment-", suffix=".json", delete=False
            ) as file:
                file.write(json.dumps(assignment.to_json()))
            ours, theirs = socket.socketpair()
            pipes = [os.pipe(), os.pipe()]
            passed = [theirs.fileno(), *(write for _, write in pipes)]
            try:
                socket.send_fds(self._socket, [json.dumps({"assignment": file.name}).encode()], passed)
            finally:
                theirs.close()
                for _, write in pipes:
                    os.close(write)
            pid = await self._forked.get()
        if pid < 0:
            raise LaunchError(
                "the process that trials are forked from is gone; it is started again with the next trial"
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=_LONGEST_LINE)
        trial = ForkedTrial(pid, writer, heard, wrote)
        trial.readers.append(asyncio.create_task(_read_messages(reader, trial.say)))
        for (read, _), stream in zip(pipes, ("stdout", "stderr"), strict=True):
            output = _read_output(read, stream, trial.write)
            trial.readers.append(asyncio.create_task(output))
        trial.exited.add_done_callback(lambda _: Path(file.name).unlink(missing_ok=True))
        if pid in self._early_exits:
            trial.exited.set_result(self._early_exits.pop(pid))
        else:
            self._trials[pid] = trial
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
                trial.exited.set_result(-signal.SIGKILL)
        self._trials.clear()


async def _read_messages(reader: asyncio.StreamReader, heard: Callable[[Message], None]) -> None:
    with contextlib.suppress(ConnectionResetError):
        while line := await reader.readline():
            heard(json.loads(line))


async def _read_output(descriptor: int, stream: str, wrote: Callable[[str, str], None]) -> None:
    """Hand over line by line; a line without end is cut."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    rest = b""
    while chunk := await reader.read(_LONGEST_OUTPUT):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_OUTPUT:
            lines, rest = [*lines, rest], b""
        for line in lines:
            wrote(stream, line.decode("utf-8", "replace").rstrip("\r"))
    if rest:
        wrote(stream, rest.decode("utf-8", "replace"))
    transport.close()
