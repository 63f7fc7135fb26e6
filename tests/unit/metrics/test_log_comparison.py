"""What was decided and is not stored is found, whatever became of those who reported it."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from etude.artifacts.checkpoint import commit_checkpoint, staging_folder
from etude.events import (
    CheckpointReference,
    CheckpointSaved,
    CloseReason,
    Event,
    Length,
    TrialClosed,
    ValidationCompleted,
)
from etude.store import SqliteStore
from etude.store.schema import CHECKPOINTS, EXPERIMENT_VIEWS, EXPERIMENTS, SEARCH_LOG, TRIAL_VIEWS, VALIDATIONS
from etude_metrics.log_comparison import Gap, LogComparison
from tests.unit.make import NOW, validation


@pytest.fixture
async def store() -> SqliteStore:
    made = SqliteStore()
    await made.open()
    await made.put(EXPERIMENT_VIEWS, [{"_id": "exp", "state": "active"}])
    return made


async def search(
    store: SqliteStore,
    *reports: ValidationCompleted,
    state: str = "active",
    days_ago: int = 0,
    events: Sequence[Event] = (),
) -> None:
    """What the searcher has stored."""
    changed = (NOW - timedelta(days=days_ago)).isoformat()
    document = {"_id": "exp", "state": state, "pool": "big", "seq": len(reports), "changed_at": changed}
    await store.put(EXPERIMENTS, [document])
    causes = [{"type": "etude.experiment.created.v1", "data": {}}]
    causes += [{"type": report.type, "data": report.to_json()} for report in reports]
    decisions = [
        {"_id": f"exp:{seq}", "experiment_id": "exp", "seq": seq, "cause": cause, "events": []}
        for seq, cause in enumerate(causes)
    ]
    decisions[-1]["events"] = [{"type": event.type, "data": event.to_json()} for event in events]
    await store.put(SEARCH_LOG, decisions)


async def test_a_validation_that_was_decided_and_never_came_is_lacking_until_it_comes(store: SqliteStore) -> None:
    comparison = LogComparison(store, lambda: NOW)
    await search(store, validation(1, 4), validation(2, 4))
    await store.put(VALIDATIONS, [{"_id": "exp/1/4", "experiment_id": "exp"}])
    assert await comparison.gaps() == {"exp": Gap("big", ["exp/2/4"])}
    await store.put(VALIDATIONS, [{"_id": "exp/2/4", "experiment_id": "exp"}])
    assert await comparison.gaps() == {}


async def test_what_was_found_whole_is_not_read_again(store: SqliteStore) -> None:
    comparison = LogComparison(store, lambda: NOW)
    await search(store, validation(1, 4))
    await store.put(VALIDATIONS, [{"_id": "exp/1/4", "experiment_id": "exp"}])
    assert await comparison.gaps() == {}
    await store.delete(VALIDATIONS, {"experiment_id": "exp"})
    await search(store, validation(1, 4), validation(2, 8))
    assert await comparison.gaps() == {"exp": Gap("big", ["exp/2/8"])}


async def test_long_logs_are_compared_to_their_end(store: SqliteStore) -> None:
    await search(store, *(validation(trial, 4) for trial in range(1, 1200)))
    stored = [{"_id": f"exp/{trial}/4", "experiment_id": "exp"} for trial in range(1, 1199)]
    await store.put(VALIDATIONS, stored)
    assert await LogComparison(store, lambda: NOW).gaps() == {"exp": Gap("big", ["exp/1199/4"])}


@pytest.mark.parametrize("view", [None, {"_id": "exp", "state": "active"}])
async def test_an_end_that_never_came_is_lacking(store: SqliteStore, view: dict[str, str] | None) -> None:
    await store.delete(EXPERIMENT_VIEWS, {})
    if view:
        await store.put(EXPERIMENT_VIEWS, [view])
    await search(store, state="completed")
    assert await LogComparison(store, lambda: NOW).gaps() == {"exp": Gap("big")}


async def test_of_what_ended_days_ago_or_was_deleted_nothing_is_lacking(store: SqliteStore) -> None:
    await search(store, validation(1, 4), state="completed", days_ago=2)
    assert await LogComparison(store, lambda: NOW).gaps() == {}
    await search(store, validation(1, 4))
    await store.put(EXPERIMENT_VIEWS, [{"_id": "exp", "state": "deleted"}])
    assert await LogComparison(store, lambda: NOW).gaps() == {}


@pytest.mark.parametrize("storage", ["storage", "runs [1] #2 of *, 50%25"])
async def test_checkpoints_that_nobody_reported_are_found_in_the_storage(
    store: SqliteStore, tmp_path: Path, storage: str
) -> None:
    root = f"file://{tmp_path / storage}/checkpoints/exp"
    for trial_id, name in ((1, "1-2"), (1, "1-4"), (2, "1-4")):
        uri, length = f"{root}/{trial_id}/{name}", Length.batches(int(name[2:]))
        with staging_folder(uri) as folder:
            (folder / "weights").write_text("0.5")
            commit_checkpoint(folder, uri, experiment_id="exp", trial_id=trial_id, lease_number=1, length=length)
    (tmp_path / storage / "checkpoints" / "exp" / "2" / "2-8").mkdir()  # was never finished
    await store.put(CHECKPOINTS, [{"_id": f"{root}/1/1-2", "deleted": False}])
    reference = CheckpointReference(uri=f"{root}/2/1-4", length=4)
    await search(store, validation(2, 4).model_copy(update={"checkpoint": reference}))
    comparison = LogComparison(store, lambda: NOW)
    gap = (await comparison.gaps())["exp"]
    found = await comparison.lost_checkpoints("exp", gap)
    assert [(saved.trial_id, saved.uri) for saved in found] == [(1, f"{root}/1/1-4"), (2, f"{root}/2/1-4")]
    assert all(isinstance(saved, CheckpointSaved) and saved.files[0].path == "weights" for saved in found)


async def test_a_checkpoint_of_another_trial_is_not_searched_beside(store: SqliteStore) -> None:
    foreign = CheckpointReference(uri="file:///other/checkpoints/other/1/1-4", length=4, foreign=True)
    await search(store, validation(2, 4).model_copy(update={"checkpoint": foreign}))
    assert (await LogComparison(store, lambda: NOW).gaps())["exp"].checkpoints == []


@pytest.mark.parametrize("uri", ["file:///nowhere/checkpoints/exp/1/1-4", "unknown://x/checkpoints/exp/1/1-4"])
async def test_in_a_storage_that_cannot_be_seen_nothing_is_found(store: SqliteStore, uri: str) -> None:
    assert (
        await LogComparison(store, lambda: NOW).lost_checkpoints("exp", Gap("big", ["exp/1/4"], checkpoints=[uri]))
        == []
    )


async def test_a_trial_that_was_closed_or_tried_again_and_is_not_shown_so_is_lacking(store: SqliteStore) -> None:
    comparison = LogComparison(store, lambda: NOW)
    closed = TrialClosed(trial_id=3, reason=CloseReason.STOPPED, attempt=2)
    await search(store, events=[closed.model_copy(update={"attempt": 1}), closed])
    for attempt, close_reason in ((1, None), (1, "failed"), (2, None)):
        await store.put(
            TRIAL_VIEWS, [{"_id": "exp/3", "trial_id": 3, "attempt": attempt, "close_reason": close_reason}]
        )
        assert await comparison.gaps() == {"exp": Gap("big", trials=[3])}
    await store.put(TRIAL_VIEWS, [{"_id": "exp/3", "trial_id": 3, "attempt": 2, "close_reason": "stopped"}])
    assert await comparison.gaps() == {}
