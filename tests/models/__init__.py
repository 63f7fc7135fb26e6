"""Model directories and configurations for tests."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

LINE = Path(__file__).parent / "line"
"""A script without torch that trains in no time, and misbehaves as its hyperparameters say."""


def line_config(
    folder: Path,
    *behaviours: str,
    trials: int = 4,
    length: int = 5,
    seconds: float = 0.0,
    searcher: dict[str, Any] | None = None,
    whole_searcher: dict[str, Any] | None = None,
    **fields: Any,
) -> Path:
    """Write a configuration for :data:`LINE`: a grid over behaviours, or a random search among well-behaved trials."""
    common = {"metric": "loss", "max_length": length}
    slope = {"type": "double", "minval": 1, "maxval": 2}
    if behaviours:
        hyperparameters: dict[str, Any] = {"behaviour": {"type": "categorical", "vals": list(behaviours)}, "slope": 1.0}
        chosen = {"name": "grid", **common}
    else:
        hyperparameters = {"behaviour": "good", "slope": slope}
        chosen = {"name": "random", "max_trials": trials, **common}
    config = {
        "name": "line",
        "entrypoint": "python train.py",
        "hyperparameters": {**hyperparameters, "seconds": seconds},
        "searcher": whole_searcher or {**chosen, **(searcher or {})},
        **fields,
    }
    path = folder / "line.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(config, file)
    return path


SURFACE = Path(__file__).parent / "surface"
"""A small PyTorchTrial for one or more slots, with Adam, a scheduler and shuffled data."""


def surface_config(folder: Path, slots: float = 1, length: int = 60, seconds: float = 0.0, **fields: Any) -> Path:
    """Write a configuration for one trial of :data:`SURFACE`, which saves a checkpoint every 10 batches."""
    config = {
        "name": "surface",
        "entrypoint": "model_def:Surface",
        "hyperparameters": {"global_batch_size": 32, "seconds": seconds, "norm": False},
        "searcher": {"name": "single", "metric": "loss", "max_length": length},
        "resources": {"slots_per_trial": slots},
        "scheduling_unit": 5,
        "min_checkpoint_period": {"batches": 10},
        "reproducibility": {"experiment_seed": 7},
        **fields,
    }
    path = folder / f"surface-{slots}.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(config, file)
    return path


ROGUE = Path(__file__).parent / "rogue"
"""A script that does what no trial should do."""


def rogue_config(folder: Path, *behaviours: str, **fields: Any) -> Path:
    """Write a configuration for :data:`ROGUE`: a trial for each behaviour."""
    config = {
        "name": "rogue",
        "entrypoint": "python train.py",
        "hyperparameters": {"behaviour": {"type": "categorical", "vals": list(behaviours)}},
        "searcher": {"name": "grid", "metric": "loss", "max_length": 1},
        "max_restarts": 0,
        **fields,
    }
    path = folder / "rogue.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(config, file)
    return path
