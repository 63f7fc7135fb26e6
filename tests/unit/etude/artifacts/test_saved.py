"""Checkpoints in folders, opened in plain torch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import etude
from etude.artifacts import ArtifactError
from etude.artifacts.checkpoint import commit_checkpoint
from etude.artifacts.saved import write_result
from etude.artifacts.storage import local_url
from etude.events import Length
from etude.trial.pytorch.random_state import rng_state, set_rng_state


def stored(tmp_path: Path, **state: Any) -> Path:
    folder = tmp_path / "staging"
    folder.mkdir()
    if state:
        torch.save(state, folder / "state.pt")
    else:
        (folder / "weights.bin").write_bytes(b"1")
    commit_checkpoint(
        folder,
        local_url(tmp_path / "checkpoint"),
        experiment_id="exp",
        trial_id=1,
        lease_number=1,
        length=Length.batches(7),
        metadata={"hyperparameters": {"lr": 0.1}, "entrypoint": "a:B"},
    )
    return tmp_path / "checkpoint"


def test_it_has_hyperparameters_metrics_and_state_dicts(tmp_path: Path) -> None:
    weights = torch.nn.Linear(2, 1).state_dict()
    folder = stored(tmp_path, models=[weights], optimizers=[{"state": {}}], rng=[rng_state()])
    write_result(folder, {"loss": 0.5})
    found = etude.load_checkpoint(folder)
    assert (found.hyperparameters, found.metrics, found.length) == ({"lr": 0.1}, {"loss": 0.5}, Length.batches(7))
    assert torch.equal(found.models[0]["weight"], weights["weight"])
    assert found.optimizers == [{"state": {}}]
    assert found.metadata == {"entrypoint": "a:B"}


def test_plain_torch_opens_it_too(tmp_path: Path) -> None:
    folder = stored(tmp_path, models=[torch.nn.Linear(2, 1).state_dict()], rng=[rng_state()])
    assert torch.load(folder / "state.pt", weights_only=True)["models"][0].keys() == {"weight", "bias"}


def test_random_states_come_back(tmp_path: Path) -> None:
    torch.save(rng_state(), tmp_path / "rng")
    drawn = np.random.random(3)
    set_rng_state(torch.load(tmp_path / "rng", weights_only=True))
    assert np.array_equal(np.random.random(3), drawn)


def test_random_states_of_earlier_versions_come_back() -> None:
    earlier = rng_state() | {"numpy": np.random.get_state()}
    drawn = np.random.random(3)
    set_rng_state(earlier)
    assert np.array_equal(np.random.random(3), drawn)


def test_other_files_are_where_they_lie(tmp_path: Path) -> None:
    found = etude.load_checkpoint(stored(tmp_path))
    assert (found.folder / "weights.bin").read_bytes() == b"1"
    assert (found.state, found.models, found.metrics) == ({}, [], {})


def test_code_in_it_is_not_run(tmp_path: Path) -> None:
    folder = stored(tmp_path, models=[], path=Path("x"))
    with pytest.raises(ArtifactError, match=r"more than tensors and plain values.*weights_only=False"):
        etude.load_checkpoint(folder)


def test_what_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"holds no checkpoint: there is no manifest\.json"):
        etude.load_checkpoint(tmp_path)


def test_it_is_found_by_who_looks_around() -> None:
    assert {"Client", "load_checkpoint"} <= set(dir(etude))
