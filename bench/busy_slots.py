"""How much of its time does a slot train? Asynchronous halving with every service, a real broker and database.

A slot's time goes to training, to waiting for decisions, and to everything else: starting processes, saving and
loading checkpoints, and the end of the search, when there are fewer trials than slots.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.e2e.installation import Installation, whole_installation

BUSY = Path(__file__).parent / "busy"


def measure(installation: Installation, seconds: float, slots: int, trials: int) -> dict[str, float]:
    """Shares of the slots' time, for trials that train so many seconds on the lowest of three rungs."""
    times = installation.folder / f"times-{seconds}"
    config = installation.folder / "busy.yaml"
    config.write_text(
        f"""
entrypoint: python train.py
hyperparameters: {{x: {{type: double, minval: 0, maxval: 1}}, seconds: {seconds}}}
searcher: {{name: async_halving, metric: loss, max_length: 16, num_rungs: 3, divisor: 4, max_trials: {trials}}}
environment: {{environment_variables: ["BENCH_TIMES={times}"]}}
"""
    )
    experiment_id = installation.create(config, BUSY)
    assert installation.wait(experiment_id, 3600)["state"] == "completed"
    lines = map(json.loads, times.read_text().splitlines())
    told: list[dict[str, Any]] = list({(line["process"], line["began"]): line for line in lines}.values())
    total = slots * (max(t["ended"] for t in told) - min(t["began"] for t in told))
    busy, waited = (sum(t[name] for t in told) / total for name in ("busy", "waited"))
    return {"busy": busy, "waited": waited, "rest": 1 - busy - waited, "processes": len(told)}


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--trials", type=int, default=32)
    arguments.add_argument("--slots", type=int, help="every GPU, or else two")
    given = arguments.parse_args()
    slots = given.slots or torch.cuda.device_count() or 2
    with whole_installation() as installation:
        installation.start_services()
        installation.start_runner("one", slots, ETUDE_RESIDENT_MEMORY="0")  # who rests waits on nobody's slot
        kind = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU share"
        print(f"{slots} slots ({kind}), {given.trials} trials; seconds on the lowest rung:")
        print(f"{'':>8}{'training':>10}{'waiting for decisions':>24}{'rest':>8}{'processes':>11}")
        for seconds in (0.1, 0.5, 2.0):
            found = measure(installation, seconds, slots, given.trials)
            print(
                f"{seconds:>8}{found['busy']:>10.1%}{found['waited']:>24.2%}{found['rest']:>8.1%}"
                f"{found['processes']:>11}",
                flush=True,
            )


if __name__ == "__main__":
    main()
