"""One simulated run, and thousands of them: ``python -m tests.simulation.simulate --seeds 2000``."""

import argparse
import multiprocessing
import sys
import time
import traceback
from collections import Counter
from typing import Any

import structlog

from tests.simulation.clock import run_virtually
from tests.simulation.world import RUNNERS, Story, World

SPACE = {"rate": {"type": "log", "minval": -4, "maxval": 0}}


def config(searcher: dict[str, Any], max_restarts: int = 3) -> dict[str, Any]:
    """A search of a model that exists only in the simulation."""
    common = {"metric": "loss", "max_length": {"batches": 400}}
    return {
        "entrypoint": "model:Trial",
        "hyperparameters": SPACE,
        "max_restarts": max_restarts,
        "searcher": {**common, **searcher},
    }


EXPERIMENTS = {
    "halving": config({"name": "async_halving", "num_rungs": 3, "max_trials": 12, "max_concurrent_trials": 8}),
    "random": config({"name": "random", "max_trials": 6, "max_concurrent_trials": 4}, max_restarts=0),
    "doomed": config({"name": "random", "max_trials": 50, "max_concurrent_trials": 3}),
}


async def simulate(seed: int, calm: bool = False, runners: int = RUNNERS) -> Story:
    """Run a world to its end and audit it; a failure says how it is repeated."""
    world = World(seed, calm, runners)
    try:
        await world.run(EXPERIMENTS)
        await world.audit()
    except BaseException as error:
        error.add_note(f"to repeat it: make simulate SEED={seed}")
        raise
    return world.story


def _attempt(seed: int) -> tuple[int, Counter[str], str]:
    """Seed, what happened how often, and what went wrong."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        story = run_virtually(simulate(seed))
    except Exception:
        return seed, Counter(), traceback.format_exc()
    return seed, Counter({"crashes": story.crashes, "cuts": story.cuts, "emptied brokers": story.emptied}), ""


def main() -> int:
    """Run seeds on all cores; returns the exit status."""
    parser = argparse.ArgumentParser(description="Simulate installations in which everything goes wrong.")
    parser.add_argument("--seeds", type=int, default=2000, help="how many")
    parser.add_argument("--seed", type=int, help="only this one")
    asked = parser.parse_args()
    seeds = range(asked.seeds) if asked.seed is None else [asked.seed]
    began, done = time.monotonic(), 0
    happened: Counter[str] = Counter()
    failed: list[int] = []
    with multiprocessing.Pool(maxtasksperchild=50) as pool:
        for seed, counts, failure in pool.imap_unordered(_attempt, seeds):
            done, happened = done + 1, happened + counts
            if failure:
                failed.append(seed)
                print(f"seed {seed} failed; to repeat it: make simulate SEED={seed}\n{failure}", flush=True)
            elif done % 50 == 0:
                print(f"{done} of {len(seeds)} runs, {60 * done / (time.monotonic() - began):.0f} a minute", flush=True)
    minutes = (time.monotonic() - began) / 60
    told = ", ".join(f"{count} {what}" for what, count in happened.items())
    print(
        f"{done} runs in {minutes:.1f} minutes ({done / minutes:.0f} a minute), "
        f"{told}, {len(failed)} failed {sorted(failed) or ''}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
