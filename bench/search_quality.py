"""How good are searches? Regret over training spent, on recorded and surrogate learning curves.

Eight simulated asynchronous workers spend 30 full trainings. Regret is (best loss seen - best known) / (median of
random full trainings - best known), counting every epoch that was trained, after 1, 2, 4, 8, 16 and 30 full trainings;
the mean over these points is called anytime.
"""

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from measure import POINTS, SEEDS, WORKERS, heading, regrets, row
from tasks import QUALITY, Task

from etude.config import parse
from etude_searcher.simulate import Outcome, Simulation

OWN: dict[str, dict[str, Any]] = {
    "etude random": {"name": "random", "max_trials": 45},
    "etude adaptive_asha": {"name": "adaptive_asha", "max_trials": 150},
    "etude adaptive_asha, tpe": {"name": "adaptive_asha", "max_trials": 150, "sampler": {"name": "tpe"}},
}


def search(task: Task, searcher: dict[str, Any], seed: int) -> list[float]:
    """Regrets at all points of one search of etude's."""
    config = parse(
        {
            "entrypoint": "bench:Trial",
            "hyperparameters": task.hyperparameters,
            "searcher": {"metric": "loss", "max_length": {"epochs": task.longest}, **searcher},
        }
    )

    def spent(outcome: Outcome) -> bool:
        return outcome.total_length >= (POINTS[-1] + WORKERS) * task.longest

    simulation = Simulation(config, task.objective, WORKERS, seed)
    outcome = simulation.run(until=spent)
    return regrets(
        task,
        (
            (r.began, simulation.engine.trials[r.trial_id].hyperparameters, r.length - r.trained, r.length)
            for r in outcome.results
        ),
    )


def run(job: tuple[str, dict[str, Any], str, int]) -> tuple[str, list[float], float]:
    """One search of one task with one seed."""
    name, searcher, task, seed = job
    began = time.perf_counter()
    return name, search(Task(task), searcher, seed), time.perf_counter() - began


def peers(python: Path, seeds: int) -> dict[str, list[list[float]]]:
    """The same searches by others, in their own environment."""
    found: dict[str, list[list[float]]] = {}
    command = [str(python), str(Path(__file__).parent / "peers.py"), "--seeds", str(seeds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            told = json.loads(line)
            found.setdefault(told["search"], []).append(told["regrets"])
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed; see above")
    return found


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", nargs="*", help="names of searches")
    arguments.add_argument("--extra", type=json.loads, default={}, help="more searches, as JSON: name to searcher")
    arguments.add_argument("--seeds", type=int, default=SEEDS)
    arguments.add_argument("--peers", type=Path, help="the Python of an environment with the peers (make bench-peers)")
    given = arguments.parse_args()
    searches = {**OWN, **given.extra}
    names = given.only or list(searches)
    jobs = [(name, searches[name], task, seed) for name in names for task in QUALITY for seed in range(given.seeds)]
    found: dict[str, list[list[float]]] = {name: [] for name in names}
    seconds: dict[str, float] = dict.fromkeys(names, 0.0)
    with ProcessPoolExecutor() as pool:
        for name, values, took in pool.map(run, jobs, chunksize=2):
            found[name].append(values)
            seconds[name] += took
    print(heading())
    for name in names:
        print(row(name, found[name], seconds[name]))
    if given.peers:
        for name, values in peers(given.peers, given.seeds).items():
            print(row(name, values))


if __name__ == "__main__":
    main()
