"""How good are searches? Regret over training spent, on recorded and surrogate learning curves.

Eight simulated asynchronous workers spend 30 full trainings. Regret is (best loss seen - best known) / (median of random
full trainings - best known), after 1, 2, 4, 8, 16 and 30 of them; the mean over these points is called anytime.
"""

import argparse
import json
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from tasks import QUALITY, Task

from etude.config import parse
from etude_searcher.simulate import Outcome, Simulation

POINTS = (1, 2, 4, 8, 16, 30)
WORKERS = 8
SEEDS = 5
OWN: dict[str, dict[str, Any]] = {
    "random": {"name": "random", "max_trials": 30},
    "adaptive_asha": {"name": "adaptive_asha", "max_trials": 100},
    "async_halving": {"name": "async_halving", "max_trials": 100, "num_rungs": 3},
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
        return outcome.total_length >= POINTS[-1] * task.longest

    outcome = Simulation(config, task.objective, WORKERS, seed).run(until=spent)
    return regrets(task, [(result.trained, result.metrics["loss"]) for result in outcome.results])


def regrets(task: Task, results: list[tuple[int, float]]) -> list[float]:
    """Regrets at all points, from results as (epochs that all trials had trained by then, loss)."""
    found = []
    for point in POINTS:
        seen = [loss for trained, loss in results if trained <= point * task.longest]
        found.append(min(task.regret(min(seen)), 1.0) if seen else 1.0)
    return found


def run(job: tuple[str, dict[str, Any], str, int]) -> tuple[str, list[float], float]:
    """One search of one task with one seed."""
    name, searcher, task, seed = job
    began = time.perf_counter()
    return name, search(Task(task), searcher, seed), time.perf_counter() - began


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", nargs="*", help="names of searches")
    arguments.add_argument("--extra", type=json.loads, default={}, help="more searches, as JSON: name to searcher")
    arguments.add_argument("--seeds", type=int, default=SEEDS)
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
    print(f"{'search':<34}" + "".join(f"{point:>8}" for point in POINTS) + f"{'anytime':>9}{'seconds':>9}")
    for name in names:
        means = [statistics.fmean(values) for values in zip(*found[name], strict=True)]
        print(
            f"{name:<34}"
            + "".join(f"{mean:8.3f}" for mean in means)
            + f"{statistics.fmean(means):9.3f}{seconds[name]:9.1f}"
        )


if __name__ == "__main__":
    main()
