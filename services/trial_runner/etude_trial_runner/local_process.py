"""LocalProcess: a trial's process on this machine, and the channels over which it speaks."""

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable
from typing import Self

from etude.core.link import Message

_LONGEST_LINE = 64 * 2**20
_LONGEST_OUTPUT = 64 * 2**10


class Channels:
    """A socket for messages and two pipes for output; as a context, while the process gets its ends.

    Attributes
    ----------
    passed : descriptors for the process: control, stdout, stderr
    ours, outputs : the other ends
    """

    def __init__(self) -> None:
        self.ours, self._theirs = socket.socketpair()
        pipes = [os.pipe(), os.pipe()]
        self.outputs = [read for read, _ in pipes]
        self._inputs = [write for _, write in pipes]
        self.passed = [self._theirs.fileno(), *self._inputs]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close here what the process has by now."""
        self._theirs.close()
        for descriptor in self._inputs:
            os.close(descriptor)


class LocalProcess:
    """A process of a trial on this machine, the leader of a session of its own."""

    def __init__(self, pid: int, heard: Callable[[Message], None], wrote: Callable[[str, str], None]) -> None:
        self.pid = pid
        self._heard, self._wrote = heard, wrote
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._readers: list[asyncio.Task[None]] = []
        self._control: asyncio.StreamWriter | None = None

    async def listen(self, channels: "Channels") -> None:
        """Begin to hear what it says."""
        reader, self._control = await asyncio.open_connection(sock=channels.ours, limit=_LONGEST_LINE)
        self._readers.append(asyncio.create_task(_read_messages(reader, self.say)))
        for descriptor, stream in zip(channels.outputs, ("stdout", "stderr"), strict=True):
            self._readers.append(asyncio.create_task(_read_output(descriptor, stream, self.write)))

    def send(self, message: Message) -> None:
        """Tell it something."""
        if self._control is not None and not self._control.is_closing():
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
        await asyncio.gather(*self._readers, return_exceptions=True)
        if self._control is not None:
            self._control.close()
        return code


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
