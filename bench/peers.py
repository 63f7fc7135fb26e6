"""The same searches by Optuna and Syne Tune: asked and told by the same simulated workers, judged by the same measure.

Runs in an environment of its own (`make bench-peers`), and prints regrets as JSON lines for `search_quality.py`.
"""

import argparse
import heapq
import json
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from measure import POINTS, SEEDS, WORKERS, regrets
from tasks import FAILED, QUALITY, Task

Report = Callable[[int, float], bool]
"""Is told a loss after so many epochs; says whether the trial is to stop."""
Stretch = tuple[float, dict[str, Any], int, int]


class Peer(ABC):
    """A searcher that is asked for configurations and told losses."""

    @abstractmethod
    def ask(self) -> tuple[Any, dict[str, Any], int]:
        """A trial, its hyperparameters, and the epochs that it has been trained for."""

    @abstractmethod
    def tell(self, trial: Any, epoch: int, loss: float) -> bool:
        """A result; True if the trial is to stop, for now or for good."""

    @abstractmethod
    def end(self, trial: Any, loss: float) -> None:
        """The trial was trained to the end, or stopped."""


def work(task: Task, peer: Peer) -> list[float]:
    """Let workers train what a peer asks for, epoch by epoch in virtual time; returns regrets."""
    stretches: list[Stretch] = []
    running: list[tuple[float, int, Iterator[float]]] = []
    order = spent = 0

    def trial(began: float) -> Iterator[float]:
        """Trains one trial; yields the time of each of its epochs."""
        nonlocal spent
        handle, values, before = peer.ask()
        losses, seconds = task.curve(values)
        start = seconds[before - 1] if before else 0.0
        epoch, loss = before, FAILED
        for epoch in range(before + 1, task.longest + 1):
            yield began + seconds[epoch - 1] - start
            spent += 1
            loss = float(losses[epoch - 1])
            if peer.tell(handle, epoch, loss):
                break
        peer.end(handle, loss)
        stretches.append((began, values, before, epoch))

    def begin(now: float) -> None:
        nonlocal order
        order += 1
        one = trial(now)
        heapq.heappush(running, (next(one), order, one))

    for _ in range(WORKERS):
        begin(0.0)
    while spent < (POINTS[-1] + WORKERS) * task.longest:
        now, number, one = heapq.heappop(running)
        try:
            heapq.heappush(running, (next(one), number, one))
        except StopIteration:
            begin(now)
    return regrets(task, stretches)


def optuna_peer(sampler: str, pruner: str | None) -> Callable[[Task, int], Peer]:
    """Optuna with one of its samplers and pruners, as they are by default."""

    def make(task: Task, seed: int) -> Peer:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore")
        samplers = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}
        pruners = {
            None: optuna.pruners.NopPruner,
            "halving": lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=task.shortest),
            "hyperband": lambda: optuna.pruners.HyperbandPruner(min_resource=task.shortest, max_resource=task.longest),
        }
        study = optuna.create_study(sampler=samplers[sampler](seed=seed), pruner=pruners[pruner]())

        class Optuna(Peer):
            def ask(self) -> tuple[Any, dict[str, Any], int]:
                trial = study.ask()
                return trial, {d["name"]: _suggest(trial, d) for d in task.dimensions}, 0

            def tell(self, trial: Any, epoch: int, loss: float) -> bool:
                trial.report(min(loss, 1e30), epoch)
                return epoch < task.longest and trial.should_prune()

            def end(self, trial: Any, loss: float) -> None:
                finished = trial.study._storage.get_trial(trial._trial_id).last_step == task.longest
                states = optuna.trial.TrialState
                if finished:
                    study.tell(trial, min(loss, 1e30))
                else:
                    study.tell(trial, state=states.PRUNED)

        return Optuna()

    return make


def syne_tune_peer(name: str) -> Callable[[Task, int], Peer]:
    """Syne Tune's scheduler of that name, as it is by default, from the shortest length that says something."""

    def make(task: Task, seed: int) -> Peer:
        import logging
        from datetime import datetime

        from syne_tune.backend.trial_status import Trial
        from syne_tune.optimizer import baselines

        logging.disable(logging.CRITICAL)
        warnings.simplefilter("ignore")
        scheduler = getattr(baselines, name)(
            config_space={d["name"]: _domain(d) for d in task.dimensions},
            metric="loss",
            time_attr="epoch",
            max_t=task.longest,
            grace_period=task.shortest,
            random_seed=seed,
        )

        class SyneTune(Peer):
            def __init__(self) -> None:
                self.trials = 0
                self.result: dict[Any, dict[str, Any]] = {}

            def ask(self) -> tuple[Any, dict[str, Any], int]:
                config = scheduler.suggest().config
                trial = Trial(self.trials, config, datetime(2026, 1, 1))
                self.trials += 1
                scheduler.on_trial_add(trial)
                turned = {d["name"] for d in task.dimensions if d.get("neglog1m")}
                return trial, {key: 1 - value if key in turned else value for key, value in config.items()}, 0

            def tell(self, trial: Any, epoch: int, loss: float) -> bool:
                self.result[trial.trial_id] = {"loss": min(loss, 1e30), "epoch": epoch}
                if epoch >= task.longest:
                    return True
                decision = scheduler.on_trial_result(trial, self.result[trial.trial_id])
                return bool(decision != "CONTINUE")

            def end(self, trial: Any, loss: float) -> None:
                result = self.result.pop(trial.trial_id)
                if result["epoch"] >= task.longest:
                    scheduler.on_trial_complete(trial, result)
                else:
                    scheduler.on_trial_remove(trial)

        return SyneTune()

    return make


def _domain(d: dict[str, Any]) -> Any:
    from syne_tune.config_space import lograndint, loguniform, randint, uniform

    if d.get("neglog1m"):
        return loguniform(1 - d["upper"], 1 - d["lower"])
    if d["type"] == "int":
        return (lograndint if d["log"] else randint)(d["lower"], d["upper"])
    return (loguniform if d["log"] else uniform)(d["lower"], d["upper"])


def _suggest(trial: Any, d: dict[str, Any]) -> Any:
    if d.get("neglog1m"):
        return 1 - trial.suggest_float(d["name"], 1 - d["upper"], 1 - d["lower"], log=True)
    if d["type"] == "int":
        return trial.suggest_int(d["name"], d["lower"], d["upper"], log=d["log"])
    return trial.suggest_float(d["name"], d["lower"], d["upper"], log=d["log"])


PEERS: dict[str, Callable[[Task, int], Peer]] = {
    "Optuna random": optuna_peer("random", None),
    "Optuna TPE": optuna_peer("tpe", None),
    "Optuna random, halving": optuna_peer("random", "halving"),
    "Optuna TPE, halving": optuna_peer("tpe", "halving"),
    "Optuna TPE, hyperband": optuna_peer("tpe", "hyperband"),
    "Syne Tune ASHA": syne_tune_peer("ASHA"),
    "Syne Tune BOHB": syne_tune_peer("BOHB"),
    "Syne Tune ASHA CQR": syne_tune_peer("ASHACQR"),
}


def run(job: tuple[str, str, int]) -> tuple[str, str, int, list[float]]:
    """One search of one task with one seed."""
    name, task, seed = job
    made = Task(task)
    return name, task, seed, work(made, PEERS[name](made, seed))


def main() -> None:
    """Print a JSON line for each search."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", nargs="*", default=list(PEERS), help="names of searches")
    arguments.add_argument("--seeds", type=int, default=SEEDS)
    given = arguments.parse_args()
    jobs = [(name, task, seed) for name in given.only for task in QUALITY for seed in range(given.seeds)]
    with ProcessPoolExecutor() as pool:
        for name, task, seed, values in pool.map(run, jobs):
            print(json.dumps({"search": name, "task": task, "seed": seed, "regrets": values}), flush=True)


if __name__ == "__main__":
    main()
