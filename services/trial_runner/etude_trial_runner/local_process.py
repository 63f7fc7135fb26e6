"""LocalProcess: a trial's process on this machine, and the channels over which it speaks."""

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Self

import psutil
import structlog

from etude.core.link import Message, short_name
from etude_trial_runner.output import OutputLines

log = structlog.get_logger("etude.runner")

_SHOWN = 200  # of what is lost, in a log
LONGEST_MESSAGE = 64 * 2**20
"""Bytes of a message of a process."""
_CHUNK = 64 * 2**10


class Outputs:
    """Two pipes for what a process writes; as a context, while the process gets its ends.

    Attributes
    ----------
    passed : descriptors for the process: stdout, stderr
    ours : the other ends
    """

    def __init__(self) -> None:
        pipes = [os.pipe(), os.pipe()]
        self.ours = [read for read, _ in pipes]
        self.passed = [write for _, write in pipes]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close here what the process has by now."""
        for descriptor in self.passed:
            os.close(descriptor)


class Channels:
    """A socket for messages and two pipes for output; as a context, while the process gets its ends.

    Attributes
    ----------
    passed : descriptors for the process: control, stdout, stderr
    control, outputs : the other ends
    """

    def __init__(self) -> None:
        self.control, self._theirs = socket.socketpair()
        self.outputs = Outputs()
        self.passed = [self._theirs.fileno(), *self.outputs.passed]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close here what the process has by now."""
        self._theirs.close()
        self.outputs.__exit__()


class LocalProcess:
    """A process of a trial on this machine, the leader of a session of its own.

    Attributes
    ----------
    pid : its number on this machine; 0 as long as that is not known
    exited : its exit code, in the end
    """

    def __init__(self, pid: int, heard: Callable[[Message], None], wrote: Callable[[str, str], None]) -> None:
        self.pid = pid
        self._heard, self._wrote = heard, wrote
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._readers: list[asyncio.Task[None]] = []
        self._connections: list[asyncio.StreamWriter] = []
        self._door: asyncio.Server | None = None
        self._told: list[Message] = []

    async def listen(self, channels: Channels) -> None:
        """Begin to hear what it says and writes."""
        self.connect(*await asyncio.open_connection(sock=channels.control, limit=LONGEST_MESSAGE))
        self.read(channels.outputs)

    def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin to hear what it says, and tell it what it was told before."""
        self._connections.append(writer)
        self._readers.append(asyncio.create_task(_read_messages(reader, self.say)))
        for message in self._told:
            writer.write(_line(message))

    async def open_door(self, path: Path) -> None:
        """Let processes that it starts, and that inherit nothing, speak for it over a socket of that name."""
        listener = socket.socket(socket.AF_UNIX)
        with short_name(path) as name:
            listener.bind(name)
        self._door = await asyncio.start_unix_server(self.connect, sock=listener, limit=LONGEST_MESSAGE)

    def read(self, outputs: Outputs) -> None:
        """Begin to read what it writes."""
        for descriptor, stream in zip(outputs.ours, ("stdout", "stderr"), strict=True):
            self._readers.append(asyncio.create_task(_read_output(descriptor, stream, self.write)))

    def send(self, message: Message) -> None:
        """Tell it something, as soon as it listens."""
        self._told.append(message)
        for connection in self._connections:
            if not connection.is_closing():
                connection.write(_line(message))

    def say(self, message: Message) -> None:
        """The process said something: hand it to whoever listens now."""
        self._heard(message)

    def write(self, stream: str, text: str) -> None:
        """The process wrote a line: hand it to whoever listens now."""
        self._wrote(stream, text)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and its session."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    @property
    def alive(self) -> bool:
        """Is it there, running or suspended?"""
        return not self.exited.done()

    def suspend(self) -> None:
        """Stop it and its session where they are."""
        self.signal(signal.SIGSTOP)

    def resume(self, heard: Callable[[Message], None], wrote: Callable[[str, str], None]) -> None:
        """Let it go on, and hand over what it says to others from now on."""
        self._heard, self._wrote = heard, wrote
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it and its descendants."""
        self.signal(signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, signal.SIGKILL)  # it may not have become a group leader yet

    async def wait(self) -> int:
        """Its exit code."""
        code = await asyncio.shield(self.exited)
        self.signal(signal.SIGKILL)  # to what it left behind
        if self._door is not None:
            self._door.close()
        await asyncio.gather(*self._readers, return_exceptions=True)
        for connection in self._connections:
            connection.close()
        return code


def children_of(pid: int) -> list[psutil.Process]:
    """The descendants of a process, such as all that runs in a sandbox; none if it is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []


def _line(message: Message) -> bytes:
    return json.dumps(message).encode() + b"\n"


async def _read_messages(reader: asyncio.StreamReader, heard: Callable[[Message], None]) -> None:
    with contextlib.suppress(ConnectionResetError):
        while line := await _read_line(reader):
            try:
                heard(json.loads(line))
            except Exception:  # whatever it is, the next message is to be heard
                log.exception("a message of a trial's process was lost", message=line[:_SHOWN])


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    """The next line that is not too long; empty at the end."""
    while True:
        try:
            return await reader.readline()
        except ValueError as error:
            log.error("a message of a trial's process is too long, and was lost", reason=str(error))


async def _read_output(descriptor: int, stream: str, wrote: Callable[[str, str], None]) -> None:
    """Hand over line by line."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    lines = OutputLines(loop.time())
    while chunk := await reader.read(_CHUNK):
        for line in lines.feed(chunk, loop.time()):
            _hand_over(wrote, stream, line)
    for line in lines.end():
        _hand_over(wrote, stream, line)
    transport.close()


def _hand_over(wrote: Callable[[str, str], None], stream: str, line: str) -> None:
    """A process whose output nobody reads any more would stand still."""
    try:
        wrote(stream, line)
    except Exception:
        log.exception("a line of a trial's output was lost", line=line[:_SHOWN])
