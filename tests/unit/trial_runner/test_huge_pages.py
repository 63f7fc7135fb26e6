"""Memory is gathered into huge pages without harm."""

import subprocess
import sys

PROGRAM = """
import os
from etude_trial_runner import huge_pages

data = [bytes([n % 256]) * 1000 for n in range(40_000)]
made = huge_pages.gather()
assert made >= 0
assert all(piece == bytes([n % 256]) * 1000 for n, piece in enumerate(data))
if (child := os.fork()) == 0:
    data[0] = b"changed"
    os._exit(data[1] != b"\\x01" * 1000)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert data[0] == b"\\x00" * 1000
print(made)
"""


def test_what_is_in_memory_stays_as_it_was_also_for_children() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.strip().isdigit()
