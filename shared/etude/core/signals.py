"""Signals: SIGINT, SIGTERM and SIGHUP to a trial's process ask its runner for preemption."""

import contextlib
import os
import signal
import threading
from types import FrameType

from etude.core.link import send_message

_DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)


def forward_signals(descriptor: int) -> None:
    """Let SIGINT, SIGTERM and SIGHUP tell the runner, which then stops the trial with a checkpoint.

    Whoever stops a machine or a job (systemd, docker stop, scancel) signals all of its processes at once. Processes
    that this one forks, such as those of a data loader, end by these signals as ever. Model code may install handlers
    of its own.

    Parameters
    ----------
    descriptor : of the socket to the runner
    """
    owner = os.getpid()

    def forward(number: int, frame: FrameType | None) -> None:
        if os.getpid() == owner:  # on another thread: this one may be sending, and hold the lock, right now
            threading.Thread(target=_report_signal, args=(descriptor, number), daemon=True).start()
        elif number == signal.SIGINT:
            signal.default_int_handler(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) in _DEFAULTS:
                signal.signal(number, forward)


def _report_signal(descriptor: int, number: int) -> None:
    with contextlib.suppress(OSError):
        send_message(descriptor, {"say": "interrupted", "signal": signal.Signals(number).name})
