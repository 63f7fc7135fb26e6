"""The first process of a container: starts the trial's process, reaps what is orphaned, and ends as it ended.

Started as ``python -m etude_trial_runner.contained ASSIGNMENT SOCKET`` (two files that the runner put into the
container). If the runner goes, it goes, and with it all that runs in the container. It imports next to nothing, so
that it takes next to no memory.
"""

import os
import select
import socket
import sys
import threading
from pathlib import Path

from etude_trial_runner.cold import start


def main(assignment: Path, path: str) -> int:
    """The exit code of the trial's process; a signal counts as 128 and its number."""
    control = socket.socket(socket.AF_UNIX)
    control.connect(path)
    trial = os.fork()
    if trial == 0:
        start(assignment, control.fileno(), 1, 2)
    threading.Thread(target=_end_with_the_runner, args=(control.fileno(),), daemon=True).start()
    while True:
        pid, status = os.wait()
        if pid == trial:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _end_with_the_runner(control: int) -> None:
    """Wait until the other end of the socket closes; what comes over it is the trial's to read."""
    poll = select.poll()
    poll.register(control, 0)
    poll.poll()
    os._exit(1)


if __name__ == "__main__":
    os._exit(main(Path(sys.argv[1]), sys.argv[2]))
