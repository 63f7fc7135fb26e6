"""Trials on real GPUs; skipped where there is none. No server is needed: all of etude runs in this process."""

from pathlib import Path
from typing import Any

import pytest

from tests.gpu.machine import trials

SURFACE: dict[str, Any] = {
    "entrypoint": "model_def:Surface",
    "hyperparameters": {"global_batch_size": 32, "seconds": 0.0, "norm": False},
    "searcher": {"name": "single", "metric": "loss", "max_length": 60},
    "reproducibility": {"experiment_seed": 7},
}
HALVING: dict[str, Any] = {
    "name": "sync_halving",  # nobody is promoted before all are there
    "metric": "loss",
    "max_length": 40,
    "num_rungs": 2,
    "max_trials": 8,
    "max_concurrent_trials": 1,
}


@pytest.fixture(autouse=True)
def gpus() -> int:
    """How many there are."""
    import torch  # late, as every process that runs tests collects these

    count = torch.cuda.device_count()
    if count == 0:
        pytest.skip("torch finds no GPU here")
    return count


def shares(takes: list[float], slots: float) -> dict[str, Any]:
    """Trials that want so much of a GPU's memory, on so many slots."""
    return {
        "entrypoint": "python script.py",
        "hyperparameters": {"takes": {"type": "categorical", "vals": takes}},
        "searcher": {"name": "grid", "metric": "loss", "max_length": 1},
        "resources": {"slots_per_trial": slots},
    }


async def test_a_trial_has_the_gpu_of_its_slot_and_no_other(tmp_path: Path, gpus: int) -> None:
    found = await trials(tmp_path, "cuda", **shares([0.01, 0.02, 0.03, 0.04], 1))
    assert {trial["metrics"]["devices"] for trial in found} == {1.0}
    assert {trial["metrics"]["slot"] for trial in found} == set(range(min(gpus, 4)))


async def test_half_a_slot_gets_half_of_the_memory_at_most(tmp_path: Path) -> None:
    found = await trials(tmp_path, "cuda", 1, **shares([0.3, 0.7], 0.5))
    assert {trial["hyperparameters"]["takes"]: trial["metrics"]["got"] for trial in found} == {0.3: 1.0, 0.7: 0.0}
    [alone] = await trials(tmp_path, "cuda", 1, **shares([0.7], 1))
    assert alone["metrics"]["got"] == 1.0, "a whole slot gets what it wants"


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
async def test_a_model_trains_on_the_gpu_in_the_precision_that_it_wants(tmp_path: Path, precision: str) -> None:
    config = {"entrypoint": "model_def:Precise", "hyperparameters": {"precision": precision}}
    search = {"name": "single", "metric": "loss", "max_length": 300}
    [trial] = await trials(tmp_path, "cuda", 1, **config, searcher=search)
    assert (trial["metrics"]["on_gpu"], trial["metrics"]["precise"]) == (1.0, 1.0)
    assert trial["metrics"]["loss"] < 0.03, "of 0.11 that a constant has"


async def test_a_gpu_finds_what_a_cpu_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    [one] = await trials(tmp_path / "gpu", "surface", 1, **SURFACE)
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "device_count", lambda: 0)
        [other] = await trials(tmp_path / "cpu", "surface", 1, **SURFACE)
    assert one["metrics"]["loss"] == pytest.approx(other["metrics"]["loss"], rel=1e-3)


async def test_a_trial_that_rests_on_its_gpu_goes_on_as_from_its_checkpoint(tmp_path: Path) -> None:
    config = {**SURFACE, "searcher": HALVING}
    loaded = await trials(tmp_path / "loaded", "surface", 1, residents=0, **config)
    rested = await trials(tmp_path / "rested", "surface", 1, residents=2**36, **config)
    assert [trial["length"] for trial in rested] == [trial["length"] for trial in loaded]
    assert max(trial["length"] for trial in rested) == 40, "some were promoted"
    for one, other in zip(loaded, rested, strict=True):
        assert one["metrics"] == pytest.approx(other["metrics"])


async def test_two_gpus_train_one_trial_as_one_does(tmp_path: Path, gpus: int) -> None:
    if gpus < 2:
        pytest.skip("there are not two GPUs here")
    [one] = await trials(tmp_path / "one", "surface", 2, **SURFACE)
    [two] = await trials(tmp_path / "two", "surface", 2, **SURFACE, resources={"slots_per_trial": 2})
    assert two["metrics"]["loss"] == pytest.approx(one["metrics"]["loss"], rel=1e-3)
