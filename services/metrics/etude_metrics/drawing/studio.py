"""Studio: an artist in a process of its own, from the first piece of work until there was none for a while."""

import asyncio
import contextlib
import json
import os
import sys

import structlog

from etude.errors import Unavailable

_PATIENCE_SECONDS = 120.0
_IDLE_SECONDS = 300.0
_LONGEST_LINE = 2**16
_SMALL = {
    "PYTHONOPTIMIZE": "2",  # the docstrings of scientific packages take 20 MiB
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_log = structlog.get_logger()


class Studio:
    """Starts the process when it is needed, lets it go when it is idle, and starts another if it dies."""

    def __init__(self, idle_seconds: float = _IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._process: asyncio.subprocess.Process | None = None
        self._one_at_a_time = asyncio.Lock()
        self._leaving: asyncio.TimerHandle | None = None

    async def make(self, experiment_id: str, what: str) -> bytes:
        """As :meth:`Artist.make`, but packed with gzip.

        Raises
        ------
        Unavailable
            The process died over it, or took too long.
        """
        async with self._one_at_a_time:
            if self._leaving is not None:
                self._leaving.cancel()
            try:
                return await asyncio.wait_for(self._ask(experiment_id, what), _PATIENCE_SECONDS)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                await self._end()
                _log.warning("drawing failed", experiment_id=experiment_id, what=what, reason=repr(error))
                raise Unavailable(f"drawing {what} of {experiment_id} took too long or too much memory") from None
            finally:
                loop = asyncio.get_running_loop()
                self._leaving = loop.call_later(self._idle_seconds, self._leave)

    async def close(self) -> None:
        """End the process."""
        if self._leaving is not None:
            self._leaving.cancel()
        await self._end()

    async def _ask(self, experiment_id: str, what: str) -> bytes:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "etude_metrics.drawing"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LONGEST_LINE,
                start_new_session=True,  # Ctrl-C is for its owner
                env={**os.environ, **_SMALL},
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([experiment_id, what]).encode() + b"\n")
        await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        if not line:
            raise asyncio.IncompleteReadError(b"", None)
        told = json.loads(line)
        if told["error"]:
            raise Unavailable(f"{what} of {experiment_id} cannot be drawn: {told['error']}")
        return await self._process.stdout.readexactly(told["size"])

    def _leave(self) -> None:
        """Let an idle process go: it ends when nobody can ask any more."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process = None

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
