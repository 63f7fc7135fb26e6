"""The end of a trial's process, as an interpreter ends; a forked process must not run its parent's whole end."""

import atexit
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import NoReturn


def end_interpreter(code: int) -> NoReturn:
    """End as Python does (``Py_FinalizeEx``): wait for threads, call exit handlers, flush.

    Trackers of experiments and asynchronous savers finish their work in such threads and handlers.

    Parameters
    ----------
    code : the exit code
    """
    wait_for_threads: Callable[[], None] = threading._shutdown  # type: ignore[attr-defined]
    for step in (wait_for_threads, atexit._run_exitfuncs):
        try:
            step()
        except BaseException:
            sys.excepthook(*sys.exc_info())
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code & 0xFF)
