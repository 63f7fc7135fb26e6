"""Cold start: a trial's process that no zygote could fork, because it runs in a sandbox.

Started as ``python -m etude_trial_runner.cold ASSIGNMENT CONTROL STDOUT STDERR`` (a file and three descriptors).
"""

import os
import sys
from pathlib import Path
from typing import NoReturn


def start(assignment: Path, control: int, stdout: int, stderr: int) -> NoReturn:
    """Be the trial's process."""
    from etude_trial_runner.harness import carry_out

    try:
        carry_out(assignment, control, stdout, stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


if __name__ == "__main__":
    start(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
