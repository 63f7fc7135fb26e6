"""Inlet: how wishes reach an `etude run` that goes on: over a socket in its folder, one event a line."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from etude.core.link import short_name
from etude.events import Envelope, EventError

_LONGEST_LINE = 2**20
_PATIENCE_SECONDS = 10.0


class Inlet:
    """Takes events for one experiment, as long as it runs in this process.

    Parameters
    ----------
    publish : puts them on the bus of this process; returns those that nobody wants
    """

    def __init__(
        self, home: Path, experiment_id: str, publish: Callable[[Sequence[Envelope]], Awaitable[list[Envelope]]]
    ) -> None:
        self._path = _path(home, experiment_id)
        self._publish = publish
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Begin to take them; a folder in which no socket can be made has no inlet."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)  # of an earlier run, which was killed
        listener = socket.socket(socket.AF_UNIX)
        try:
            with short_name(self._path) as name:
                listener.bind(name)
            self._path.chmod(0o600)
        except OSError:
            listener.close()
            return
        self._server = await asyncio.start_unix_server(self._take, sock=listener, limit=_LONGEST_LINE)

    async def close(self) -> None:
        """Take nothing more."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        writer.close()

    async def _answer(self, line: bytes) -> dict[str, object]:
        try:
            unwanted = await self._publish([Envelope.parse(line)])
        except EventError as error:
            return {"error": str(error)}
        return {"wanted": not unwanted}


async def hand_over(home: Path, envelope: Envelope) -> bool | None:
    """Give an event to the run of its experiment; for an event of none, to all runs.

    Returns
    -------
    was it wanted? None if there is no such run
    """
    folder = home / "runs"
    name = envelope.experimentid
    sockets = [_path(home, name)] if name else sorted(folder.glob("*.sock")) if folder.is_dir() else []
    answers = [answer for path in sockets if (answer := await _ask(path, envelope)) is not None]
    return any(answers) if answers else None


async def _ask(path: Path, envelope: Envelope) -> bool | None:
    if not path.parent.is_dir():
        return None
    try:
        with short_name(path) as name:
            reader, writer = await asyncio.open_unix_connection(name, limit=_LONGEST_LINE)
    except OSError:  # there is none, or it was killed
        return None
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            writer.write(json.dumps(json.loads(envelope.to_bytes())).encode() + b"\n")
            await writer.drain()
            answer = json.loads(await reader.readline() or b"null")
    except (OSError, ValueError):
        return None
    finally:
        writer.close()
    return bool(answer and answer.get("wanted"))


def _path(home: Path, experiment_id: str) -> Path:
    return home / "runs" / f"{experiment_id}.sock"
