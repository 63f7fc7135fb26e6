"""Startup: while the command line imports what it needs, Ctrl-C ends it without a traceback; import this first."""

import signal
import threading


def _replace(handler: object, by: object) -> None:
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is handler:
        signal.signal(signal.SIGINT, by)  # type: ignore[arg-type]


def begin_startup() -> None:
    """Let Ctrl-C end this process, as long as it only imports."""
    _replace(signal.default_int_handler, signal.SIG_DFL)


def end_startup() -> None:
    """Let Ctrl-C be a ``KeyboardInterrupt`` again."""
    _replace(signal.SIG_DFL, signal.default_int_handler)


begin_startup()
