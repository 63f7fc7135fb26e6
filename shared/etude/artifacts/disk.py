"""Disks that are full: how that is recognized, and waited out."""

import errno
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_FOR_SQLITE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)  # the latter: its shared memory does not grow
PATIENCE = 600.0
"""Seconds until a disk that stays full is a failure."""
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0


def is_disk_full(error: BaseException) -> bool:
    """Is the reason that there is no space, or no quota, left?

    >>> is_disk_full(OSError(errno.ENOSPC, "No space left on device"))
    True
    """
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _FULL_FOR_SQLITE
    return isinstance(error, OSError) and error.errno in _FULL


def free_space(folder: Path) -> int:
    """Bytes that may be written on the disk of a folder."""
    return shutil.disk_usage(folder).free


def pauses(patience: float = PATIENCE) -> Iterator[float]:
    """Seconds to wait before each further try, until patience is used up.

    >>> list(pauses(3.0))
    [0.5, 1.0, 1.5]
    """
    pause, left = _FIRST_PAUSE, patience
    while left > 0:
        yield min(pause, left)
        left -= pause
        pause = min(pause * 2, _LONGEST_PAUSE)


def retry_while_full(
    work: Callable[[], T], tell: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
) -> T:
    """Do some work, again and again while the disk is full.

    Parameters
    ----------
    tell : is told once that there is trouble, and once that it is over

    Raises
    ------
    OSError
        The disk stayed full, or something else is wrong.
    """
    told = False
    for pause in pauses():
        try:
            done = work()
        except OSError as error:
            if not is_disk_full(error):
                raise
            if not told:
                tell(f"{error}; this is tried again for {PATIENCE:.0f} s")
            told = True
            sleep(pause)
        else:
            if told:
                tell("there is space again")
            return done
    return work()
