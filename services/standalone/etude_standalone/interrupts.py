"""Interrupts: what SIGINT, SIGTERM and SIGHUP mean to a run."""

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Any, NoReturn

_SAME_SECONDS = 1.0  # within which a signal that comes again is the same wish: GNU timeout sends it twice


class Interrupts:
    """The first signal is a wish to pause; SIGINT once more, from somebody who does not want to wait, ends at once.

    Parameters
    ----------
    announce : is called with the first signal
    leave : ends the process

    Attributes
    ----------
    came : is set with the first signal
    """

    def __init__(self, announce: Callable[[], None], leave: Callable[[], NoReturn]) -> None:
        self.came = asyncio.Event()
        self._announce = announce
        self._leave = leave
        self._came_at = 0.0

    def install(self) -> None:
        """Handle signals from now on; a SIGHUP that is ignored (``nohup``) stays so."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self.receive, number, time.monotonic)

    def receive(self, number: signal.Signals, now: Callable[[], float]) -> Any:
        """A signal has come."""
        if not self.came.is_set():
            self._came_at = now()
            self.came.set()
            self._announce()
        elif number == signal.SIGINT and now() - self._came_at >= _SAME_SECONDS:
            self._leave()
