"""Zygote: a process that has imported torch once, and forks a trial's process from itself in milliseconds.

Started as ``python -m etude_trial_runner.zygote FD MODULE ...``, with what to import besides. It has one thread and
never runs model code, so that forking is safe.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from etude_trial_runner import huge_pages

MAX_REQUEST = 65536
HELD_BACK = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
"""Signals that the runner handles for all of its processes; it starts this one with them blocked."""
_PR_SET_CHILD_SUBREAPER = 36
_FORKED: set[int] = set()


def main(descriptor: int, preload: Sequence[str]) -> None:
    """Import what is named, then fork on request until the runner is gone.

    A request is a packet ``{"assignment": PATH}`` with three descriptors (control, stdout, stderr); answers are
    ``{"ready": true}``, ``{"forked": PID}`` and ``{"exited": PID, "code": N}``, where a signal counts negative.
    """
    for number in HELD_BACK:  # whoever stops all processes stops the runner, and it stops us
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)
    for module in (*preload, "etude_trial_runner.harness"):
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # a collection in a child would write to, and so copy, every page
    huge_pages.gather()
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)  # what trials leave behind comes to us
    runner = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    woken, wake = socket.socketpair()
    woken.setblocking(False)
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    selector = selectors.DefaultSelector()
    selector.register(runner, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    _tell(runner, {"ready": True})
    while True:
        for key, _ in selector.select():
            if key.fileobj is woken:
                woken.recv(4096)
                _reap(runner)
                continue
            body, descriptors, _, _ = socket.recv_fds(runner, MAX_REQUEST, 3)
            if not body:
                return
            _tell(
                runner,
                {"forked": _fork(Path(json.loads(body)["assignment"]), descriptors, runner, woken, wake)},
            )


def _fork(assignment: Path, descriptors: list[int], *inherited: socket.socket) -> int:
    pid = os.fork()
    if pid:
        _FORKED.add(pid)
        for descriptor in descriptors:
            os.close(descriptor)
        return pid
    try:
        from etude_trial_runner.harness import carry_out

        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in HELD_BACK:
            signal.signal(number, signal.SIG_DFL)
        for connection in inherited:
            connection.close()
        carry_out(assignment, *descriptors)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def _reap(runner: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _tell(runner, {"exited": pid, "code": os.waitstatus_to_exitcode(status)})
        if pid in _FORKED:
            _FORKED.remove(pid)
            _kill_orphans()


def _kill_orphans() -> None:
    """End what a trial left behind in sessions of its own; it came to us when its parent ended."""
    for pid in map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()):
        if pid not in _FORKED:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _tell(runner: socket.socket, message: dict[str, object]) -> None:
    try:
        runner.send(json.dumps(message).encode())
    except (BrokenPipeError, ConnectionResetError):
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
