"""Privacy: what trials, which run as the same user, must not find out from the runner."""

import ctypes
import os
from collections.abc import Iterable

_PR_SET_DUMPABLE = 4


def forget_variables(names: Iterable[str]) -> None:
    """Remove environment variables, also from the memory that ``/proc/PID/environ`` shows."""
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    for name in names:
        if name in os.environ:
            if place := libc.getenv(name.encode()):
                ctypes.memset(place, 0, len(os.environ[name].encode()))
            del os.environ[name]


def hide_memory() -> None:
    """Let no other process of this user read this one's memory (unless it is root)."""
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0)
