"""Tasks: recorded and surrogate learning curves as objectives of a simulated search."""

import functools
import importlib.util
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(os.environ.get("ETUDE_BENCH_DATA", Path(__file__).parents[2] / "shared" / "data" / "hpo"))
QUALITY = (
    "lcbench-167168",
    "lcbench-189906",
    "lcbench-189865",
    "lcbench-167185",
    "taskset-patch32_GRU64_avg_bs128",
    "taskset-patch32_IRNN64_relu_avg_bs128",
    "taskset-patch32_VRNN128_tanh_bs128",
)
FAILED = math.inf


@functools.cache
def _bench() -> Any:
    spec = importlib.util.spec_from_file_location("hpo_load", DATA / "load.py")
    if spec is None or spec.loader is None or not (DATA / "load.py").exists():
        raise SystemExit(f"the learning curves are not at {DATA}; say where with ETUDE_BENCH_DATA")
    if importlib.util.find_spec("onnxruntime") is None:
        raise SystemExit("surrogate learning curves need onnxruntime: pip install onnxruntime, or make bench-quality")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Bench("open")


@functools.cache
def _reference() -> dict[str, dict[str, float]]:
    return dict(json.loads((DATA / "open" / "reference.json").read_text()))


class Task:
    """One task: a space, and the loss and time of any configuration after any number of epochs.

    Attributes
    ----------
    longest : epochs of a full training
    shortest : epochs below which nothing has been learned
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._space = _bench().space(name)
        meta = _bench().meta[name]
        self.longest: int = meta["r_max"]
        self.shortest = 2
        sign = -1.0 if meta["mode"] == "max" else 1.0
        self._best = sign * _reference()[name]["best_known"]
        self._median = sign * _reference()[name]["random_median"]
        self._curves: dict[str, Any] = {}
        self._sign = sign

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The space as an etude configuration has it."""
        return {h["name"]: _parameter(h) for h in self._space}

    @property
    def dimensions(self) -> list[dict[str, Any]]:
        """The space as the data has it."""
        return list(self._space)

    def curve(self, values: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Losses (smaller is better) and seconds after 1, 2, ... epochs."""
        config = {h["name"]: _restored(h, values[h["name"]]) for h in self._space}
        key = json.dumps(config, sort_keys=True)
        if key not in self._curves:
            curve = _bench().curve(self.name, config)
            losses = np.where(np.isfinite(curve["metric"]), self._sign * curve["metric"], FAILED)
            self._curves[key] = (losses, curve["time"])
        return self._curves[key]  # type: ignore[no-any-return]

    def objective(self, values: Mapping[str, Any], length: int) -> tuple[dict[str, float], float]:
        """Metrics and seconds, as :mod:`etude_searcher.simulate` wants them."""
        losses, seconds = self.curve(values)
        return {"loss": float(losses[length - 1])}, float(seconds[length - 1])

    def regret(self, loss: float) -> float:
        """0 for the best that is known, 1 for the median of random full trainings."""
        return (loss - self._best) / (self._median - self._best)


def _parameter(h: Mapping[str, Any]) -> dict[str, Any]:
    if h.get("neglog1m"):  # an Adam beta: what matters is how far it is from 1
        return {"type": "log", "minval": math.log10(1 - h["upper"]), "maxval": math.log10(1 - h["lower"])}
    if h["type"] == "cat":
        return {"type": "categorical", "vals": list(h["choices"])}
    if h["log"]:
        return {"type": "log", "minval": math.log10(h["lower"]), "maxval": math.log10(h["upper"])}
    return {"type": "int" if h["type"] == "int" else "double", "minval": h["lower"], "maxval": h["upper"]}


def _restored(h: Mapping[str, Any], value: Any) -> Any:
    if h.get("neglog1m"):
        value = 1 - value
    if h["type"] == "cat":
        return value
    value = min(max(value, h["lower"]), h["upper"])
    return round(value) if h["type"] == "int" else float(value)
