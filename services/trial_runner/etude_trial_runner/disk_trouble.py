"""DiskTrouble: a disk that is full or ill for a while, told once."""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Iterator

import structlog

from etude.artifacts.disk import is_disk_full, pauses
from etude_trial_runner.spool import FAILURES

log = structlog.get_logger("etude.runner")

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
_QUIET_SECONDS = 60.0


class DiskTrouble:
    """Whether the disk works; logged when that changes, and not again with each try.

    Parameters
    ----------
    failing, mended : what is logged then
    clock : in seconds; a disk that takes this and not that fails and works in turns, which is logged once a minute
    """

    def __init__(self, failing: str, mended: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._failing, self._mended = failing, mended
        self._clock = clock
        self._logged_at = -math.inf
        self._reason = ""
        self._pause = _FIRST_PAUSE

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Work with the disk; its failure ends the block and is noted instead of raised."""
        try:
            yield
        except FAILURES as error:
            self._note(f"{type(error).__name__}: {error}")
        else:
            self._note("")

    @property
    def retry_after(self) -> float | None:
        """Seconds until the next try, longer each time; None if there is no trouble."""
        if not self._reason:
            return None
        pause, self._pause = self._pause, min(self._pause * 2, _LONGEST_PAUSE)
        return pause

    def _note(self, reason: str) -> None:
        if reason and not self._reason:
            self._pause = _FIRST_PAUSE
            if self._clock() - self._logged_at >= _QUIET_SECONDS:
                self._logged_at = self._clock()
                log.error(self._failing, reason=reason)
        elif self._reason and not reason:
            log.info(self._mended)
        self._reason = reason


async def until_begun(
    begin: Callable[[], Awaitable[None]], may_begin_later: Callable[[], bool], tell: Callable[[str], None]
) -> None:
    """Begin something, on a full disk again and again, for a while: what never began has not failed.

    Parameters
    ----------
    may_begin_later : is it still wanted, and has nothing of it begun?
    tell : is told once, why

    Raises
    ------
    OSError, sqlite3.Error
        The disk stayed full, or something else is wrong.
    """
    told = False
    for pause in pauses():
        try:
            await begin()
        except FAILURES as error:
            if not is_disk_full(error) or not may_begin_later():
                raise
            if not told:
                tell(str(error))
            told = True
            await asyncio.sleep(pause)
            if not may_begin_later():
                return
        else:
            return
    await begin()
