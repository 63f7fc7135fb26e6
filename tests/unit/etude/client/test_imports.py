"""What a command loads: most only ask, and are to answer at once."""

import subprocess
import sys

HEAVY = {"aio_pika", "etude.artifacts", "etude.config", "etude.events", "fsspec", "numpy", "torch"}


def test_who_only_asks_loads_nothing_that_creating_needs() -> None:
    program = f"import etude.cli.main, etude.client, sys; print(*sorted({HEAVY} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "\n"
