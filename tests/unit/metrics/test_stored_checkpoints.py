"""Checkpoints that nobody told of are found where they lie."""

from pathlib import Path
from typing import Any

import pytest

from etude.events import ExperimentDeleted
from etude.store import Document, SqliteStore
from etude.store.schema import CHECKPOINTS
from etude_metrics.stored_checkpoints import StoredCheckpoints
from etude_metrics.views import new_experiment, tombstone
from tests.unit.make import envelope, save_checkpoint


@pytest.fixture
async def store() -> SqliteStore:
    made = SqliteStore()
    await made.open()
    return made


def damage(uri: str) -> None:
    Path(uri.removeprefix("file://"), "manifest.json").write_text("{")


def view(**config: Any) -> Document:
    return {**new_experiment("exp"), "config": config}


@pytest.mark.parametrize("name", ["storage", "runs [1] #2 of *, 50%25"])
async def test_those_that_are_not_known_are_found(store: SqliteStore, tmp_path: Path, name: str) -> None:
    known, *others = [save_checkpoint(tmp_path / name, *which) for which in ((1, 2), (1, 4), (2, 4))]
    (tmp_path / name / "checkpoints" / "exp" / "2" / "2-8").mkdir()  # was never finished
    await store.put(CHECKPOINTS, [{"_id": known, "deleted": False}])
    found = await StoredCheckpoints(store, f"file://{tmp_path / name}").unheard_of(view())
    assert [(saved.trial_id, saved.lease_number, saved.uri) for saved in found] == [
        (1, 1, others[0]),
        (2, 1, others[1]),
    ]
    assert all(saved.files[0].path == "weights" for saved in found)


async def test_they_are_looked_for_where_the_configuration_says(store: SqliteStore, tmp_path: Path) -> None:
    uri = save_checkpoint(tmp_path, 1, 4)
    configured = view(checkpoint_storage={"type": "shared_fs", "host_path": str(tmp_path), "secret_key": "hunter2"})
    deleted = tombstone(configured, envelope(ExperimentDeleted(revision=9), "exp"))
    assert "hunter2" not in str(deleted)
    for experiment in (configured, deleted):
        found = await StoredCheckpoints(store, "file:///nowhere").unheard_of(experiment)
        assert [saved.uri for saved in found] == [uri]


async def test_what_cannot_be_read_is_passed_over(store: SqliteStore, tmp_path: Path) -> None:
    damaged, whole = save_checkpoint(tmp_path, 1, 2), save_checkpoint(tmp_path, 1, 4)
    damage(damaged)
    found = await StoredCheckpoints(store, f"file://{tmp_path}").unheard_of(view())
    assert [saved.uri for saved in found] == [whole]


@pytest.mark.parametrize("storage", ["file:///nowhere", "unknown://x"])
async def test_in_a_storage_that_cannot_be_seen_nothing_is_found(store: SqliteStore, storage: str) -> None:
    assert await StoredCheckpoints(store, storage).unheard_of(view()) == []
    assert await StoredCheckpoints(store, storage).unheard_of(view(checkpoint_storage={"type": "s3"})) == []
