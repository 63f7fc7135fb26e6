"""How many no-op trials can Ray Tune and Syne Tune start and end in a second, on two CPUs?

Runs in an environment of its own (`make bench-trial-start`), and prints rates as JSON lines for `trial_start.py`.
"""

import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SLOTS = 2
SCRIPT = Path(__file__).parent / "no_op" / "syne_tune_script.py"


def ray_tune(trials: int, reuse: bool) -> float:
    """Ray Tune's trials a second; its clock begins when the cluster is up."""
    import ray
    from ray import tune

    class NoOp(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            self.x = config["x"]

        def step(self) -> dict[str, Any]:
            return {"loss": self.x, "done": True}

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.x = new_config["x"]
            return True

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            """Nothing to save."""

        def load_checkpoint(self, checkpoint: Any) -> None:
            """Nothing to load."""

    ray.init(num_cpus=SLOTS, log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="ray-bench-") as folder:
        tuner = tune.Tuner(
            tune.with_resources(NoOp, {"cpu": 1}),
            param_space={"x": tune.uniform(0, 1)},
            tune_config=tune.TuneConfig(num_samples=trials, max_concurrent_trials=SLOTS, reuse_actors=reuse),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        began = time.perf_counter()
        results = tuner.fit()
        seconds = time.perf_counter() - began
    assert len(results) == trials
    ray.shutdown()
    return trials / seconds


def syne_tune(trials: int) -> float:
    """Syne Tune's trials a second, each a process of its own, by its local backend."""
    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend import LocalBackend
    from syne_tune.config_space import uniform
    from syne_tune.optimizer.baselines import RandomSearch

    logging.disable(logging.CRITICAL)
    tuner = Tuner(
        trial_backend=LocalBackend(entry_point=str(SCRIPT)),
        scheduler=RandomSearch({"x": uniform(0, 1)}, metrics=["loss"]),
        stop_criterion=StoppingCriterion(max_num_trials_completed=trials),
        n_workers=SLOTS,
        sleep_time=0.05,
        print_update_interval=1e9,
    )
    began = time.perf_counter()
    tuner.run()
    return trials / (time.perf_counter() - began)


def main() -> None:
    """Print a JSON line for each."""
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["SYNETUNE_FOLDER"] = tempfile.mkdtemp(prefix="syne-tune-bench-")
    out = os.fdopen(os.dup(1), "w")
    sys.stdout = sys.stderr  # where the peers write what they do
    os.dup2(2, 1)
    rates = {
        "Ray Tune, actors reused": lambda: ray_tune(200, reuse=True),
        "Ray Tune, an actor for each trial": lambda: ray_tune(20, reuse=False),
        "Syne Tune, local backend": lambda: syne_tune(20),
    }
    for name, measure in rates.items():
        out.write(json.dumps({"name": name, "rate": measure()}) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
