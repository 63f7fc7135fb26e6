"""Link: how a trial's process talks with its runner, in lines of JSON over a socket."""

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

Message = dict[str, Any]
_SENDING = threading.Lock()  # one for all links of a process: they may share a socket


def send_message(descriptor: int, message: Message) -> None:
    """Write a message to the runner's socket, whole, whichever threads write.

    Raises
    ------
    OSError
        The runner is gone.
    """
    body = memoryview(json.dumps(message, separators=(",", ":")).encode() + b"\n")
    with _SENDING:
        while body:
            body = body[os.write(descriptor, body) :]


@contextlib.contextmanager
def short_name(path: Path) -> Iterator[str]:
    """A name of a socket's file that is short enough for the system (107 bytes), however long the path is."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class Link(Protocol):
    """Sends messages to the runner, and hands over those that come from it."""

    def send(self, message: Message) -> None:
        """Tell the runner; returns when the message is on its way."""

    def listen(self, heard: Callable[[Message], None]) -> None:
        """Call ``heard`` for each message that comes from now on, on another thread."""

    def close(self) -> None:
        """Say nothing more."""


class SocketLink:
    """A link over a stream socket. When the runner is gone the process ends: its lease is lost."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._reader = connection.makefile("rb")

    def send(self, message: Message) -> None:
        """Tell the runner."""
        try:
            send_message(self._socket.fileno(), message)
        except (BrokenPipeError, ConnectionResetError):
            os._exit(1)

    def listen(self, heard: Callable[[Message], None]) -> None:
        """Hand over what comes, on a thread of its own."""

        def read() -> None:
            for line in self._reader:
                heard(json.loads(line))
            os._exit(1)

        threading.Thread(target=read, name="etude link", daemon=True).start()

    def close(self) -> None:
        """Nothing to do: the socket closes with the process."""


class PrintingLink:
    """What a script gets that is started by hand: results are printed, and one stretch of training is all there is."""

    def __init__(self) -> None:
        self._heard: Callable[[Message], None] = lambda _: None

    def send(self, message: Message) -> None:
        """Print results, and end after the first stretch."""
        if message["say"] == "validation":
            [(unit, length)] = message["length"].items()
            metrics = ", ".join(f"{name}={value:.6g}" for name, value in message["metrics"].items())
            print(f"validation after {length} {unit}: {metrics}")  # noqa: T201
        elif message["say"] == "waiting":
            self._heard({"do": "stop"})

    def listen(self, heard: Callable[[Message], None]) -> None:
        """Remember whom to tell."""
        self._heard = heard

    def close(self) -> None:
        """Nothing to do."""
