"""What ``etude run`` loads: it answers no HTTP, and is to begin at once."""

import subprocess
import sys

HEAVY = {"aio_pika", "fastapi", "motor", "torch", "uvicorn"}


def test_a_run_loads_nothing_that_only_services_need() -> None:
    program = f"import etude_standalone.session, sys; print(*sorted({HEAVY} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "\n"
