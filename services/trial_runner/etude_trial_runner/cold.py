"""Cold start: a trial's process that no zygote could fork, because it runs in a sandbox.

Started as ``python -m etude_trial_runner.cold ASSIGNMENT CONTROL STDOUT STDERR`` (a file and three descriptors).
"""

import os
import sys
from pathlib import Path

from etude_trial_runner.harness import carry_out

if __name__ == "__main__":
    code = 1
    try:
        code = carry_out(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code & 0xFF)
