"""How many trials can start and end in a second? Every service, a real broker and database, two slots, a no-op model.

Each trial is a process of its own. Beside them Ray Tune (with and without reuse of its actors) and Syne Tune, if an
environment with them is given (make bench-trial-start).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.e2e.installation import whole_installation

SLOTS = 2
NO_OP = Path(__file__).parent / "no_op"


def etude(trials: int) -> float:
    """Trials a second between the first and the last one, from the decisions of the search."""
    config = f"""
entrypoint: python train.py
hyperparameters: {{x: {{type: double, minval: 0, maxval: 1}}}}
searcher: {{name: random, metric: loss, max_length: 1, max_trials: {trials}, max_concurrent_trials: 16}}
checkpoint_policy: none
"""
    with whole_installation() as installation:
        path = installation.folder / "no_op.yaml"
        path.write_text(config)
        installation.start_services()
        installation.start_runner("one", SLOTS)
        experiment_id = installation.create(path, NO_OP)
        assert installation.wait(experiment_id, 600)["state"] == "completed"
        log: list[dict[str, Any]] = list(
            installation.database["search_log"].find({"experiment_id": experiment_id}).sort("seq")
        )
        times = [datetime.fromisoformat(d["at"]) for d in log if d["cause"]["type"].startswith("etude.validation")]
        return (len(times) - 1) / (times[-1] - times[0]).total_seconds()


def peers(python: Path) -> Iterator[tuple[str, float]]:
    """The same by others, in their own environment and a folder where they may leave what they like."""
    command = [python, Path(__file__).absolute().parent / "trial_start_peers.py"]
    with (
        tempfile.TemporaryDirectory(prefix="etude-bench-") as folder,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            told = json.loads(line)
            yield told["name"], told["rate"]


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--trials", type=int, default=400)
    arguments.add_argument("--peers", type=Path, help="the Python of an environment with the peers")
    given = arguments.parse_args()
    print(f"{'trials a second, two slots':40}{'':>8}")
    print(f"{'etude, a process for each trial':40}{etude(given.trials):>8.2f}", flush=True)
    if given.peers:
        for name, rate in peers(given.peers.absolute()):
            print(f"{name:40}{rate:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
