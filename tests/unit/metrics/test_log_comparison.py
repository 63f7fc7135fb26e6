"""What was decided and is not stored is found, whatever became of those who reported it."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from etude.events import (
    CloseReason,
    Event,
    TrialClosed,
    ValidationCompleted,
)
from etude.store import SqliteStore
from etude.store.schema import EXPERIMENT_VIEWS, EXPERIMENTS, SEARCH_LOG, TRIAL_VIEWS, VALIDATIONS
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
