"""Ingestion: documents of what happened, the same however often it is told."""

import pytest

from etude.events import (
    AskCause,
    CheckpointDeleted,
    CheckpointSaved,
    Envelope,
    Event,
    ExperimentProgressed,
    FileEntry,
    Length,
    LogLine,
    LogWritten,
    RunnerHeartbeat,
    SearchAsked,
    TrainingPoint,
    TrainingReported,
    TrialContinued,
    TrialProgressed,
    TrialRequested,
)
from etude.store import SqliteStore
from etude.store.schema import CHECKPOINTS, EXPERIMENT_VIEWS, LOGS, TRAINING_POINTS, TRIAL_VIEWS, VALIDATIONS
from etude_metrics.handlers import MetricsHandlers
from tests.unit.make import NOW, created, envelope, raw_config, validation


@pytest.fixture
async def store() -> SqliteStore:
    made = SqliteStore()
    await made.open()
    return made


def wrapped(*events: Event) -> list[Envelope]:
    return [envelope(event) for event in events]


def saved(length: int) -> CheckpointSaved:
    files = [FileEntry(path="state.pt", size=10, sha256="0" * 64), FileEntry(path="more", size=5, sha256="1" * 64)]
    return CheckpointSaved(
        trial_id=1, lease_number=1, uri=f"file:///{length}", length=Length.batches(length), files=files
    )


def requested(trial_id: int, length: int) -> TrialRequested:
    return TrialRequested(trial_id=trial_id, hyperparameters={}, seed=1, slots=1, train_until=Length.batches(length))


async def test_a_batch_becomes_views_and_documents(store: SqliteStore) -> None:
    batch = wrapped(created(), validation(1, 100, loss=0.5), validation(2, 100, loss=0.7), saved(100))
    await MetricsHandlers(store).handle_events(batch)
    [experiment] = await store.find(EXPERIMENT_VIEWS, {})
    assert (experiment["_id"], experiment["validations"], experiment["best_seen"]) == ("exp", 2, 0.5)
    assert await store.count(TRIAL_VIEWS, {"experiment_id": "exp"}) == 2
    documents = await store.find(VALIDATIONS, {}, ("order",))
    assert [(d["trial_id"], d["order"], d["improves"]) for d in documents] == [(1, 0, True), (2, 1, False)]
    [checkpoint] = await store.find(CHECKPOINTS, {})
    assert (checkpoint["size"], checkpoint["length"]) == (15, 100)


async def test_progress_grows_before_the_first_result_and_not_with_later_ones(store: SqliteStore) -> None:
    handlers = MetricsHandlers(store)

    async def progress_after(*events: Event) -> float:
        await handlers.handle_events(wrapped(*events))
        [experiment] = await store.find(EXPERIMENT_VIEWS, {})
        return round(experiment["progress"], 6)

    searcher = {"name": "random", "metric": "loss", "max_length": 100, "max_trials": 4}
    begun = [created(raw_config(searcher)), requested(1, 100), requested(2, 100)]
    trained = TrialProgressed(trial_id=1, lease_number=1, length=Length.batches(25))
    assert await progress_after(*begun, trained) == 0.05, "a quarter of 0.8 of one of four"
    assert await progress_after(validation(1, 25, loss=0.5)) == 0.05
    assert await progress_after(validation(1, 50, loss=0.5), validation(2, 50, loss=0.6)) == 0.2
    assert await progress_after(validation(1, 50, loss=0.5)) == 0.2, "what is told again counts once"
    assert await progress_after(validation(1, 100, loss=0.4)) == 0.2, "of results, the searcher tells"
    decided = ExperimentProgressed(revision=1, progress=0.25, trials=2, best=None)
    assert await progress_after(decided) == 0.25
    further = TrialContinued(trial_id=1, train_until=Length.batches(400))
    assert await progress_after(further, validation(1, 390, loss=0.3)) == 0.35, "but for trial 2, half way there"


async def test_a_batch_that_comes_twice_changes_nothing(store: SqliteStore) -> None:
    handlers = MetricsHandlers(store)
    batch = wrapped(created(), validation(1, 100, loss=0.5), saved(100))
    for _ in range(2):
        await handlers.handle_events(batch)
        await handlers.handle_events([*batch, *batch])
    [experiment] = await store.find(EXPERIMENT_VIEWS, {})
    assert experiment["validations"] == 1
    assert await store.count(VALIDATIONS, {}) == await store.count(CHECKPOINTS, {}) == 1


async def test_of_two_results_at_one_length_the_first_counts(store: SqliteStore) -> None:
    handlers = MetricsHandlers(store)
    await handlers.handle_events(wrapped(created(), validation(1, 100, loss=0.5)))
    await handlers.handle_events(wrapped(validation(1, 100, loss=0.1, lease_number=2)))
    [document] = await store.find(VALIDATIONS, {})
    assert document["metrics"] == {"loss": 0.5}


async def test_a_crash_between_validations_and_views_is_made_good(store: SqliteStore, monkeypatch) -> None:
    handlers = MetricsHandlers(store)
    await handlers.handle_events(wrapped(created()))
    put = store.put

    async def crash(collection, documents) -> None:  # type: ignore[no-untyped-def]
        if collection is TRIAL_VIEWS:
            raise OSError("killed")
        await put(collection, documents)

    monkeypatch.setattr(store, "put", crash)
    batch = wrapped(validation(1, 100, loss=0.5), validation(2, 100, loss=0.4))
    with pytest.raises(OSError, match="killed"):
        await handlers.handle_events(batch)
    monkeypatch.undo()
    await handlers.handle_events([*batch, *wrapped(validation(3, 100, loss=0.45))])
    documents = await store.find(VALIDATIONS, {}, ("order",))
    assert [(d["trial_id"], d["order"], d["improves"]) for d in documents] == [
        (1, 0, True),
        (2, 1, True),
        (3, 2, False),
    ]


async def test_what_belongs_to_no_experiment_leaves_no_trace(store: SqliteStore) -> None:
    heartbeat = RunnerHeartbeat(runner_id="a", session="1", slots=[])
    await MetricsHandlers(store).handle_events([envelope(heartbeat, None)])
    assert await store.count(EXPERIMENT_VIEWS, {}) == 0


async def test_a_question_about_no_trial_makes_none(store: SqliteStore) -> None:
    asked = SearchAsked(ask=0, method="mine", cause=AskCause.STARTED, config={})
    await MetricsHandlers(store).handle_events(wrapped(created(), asked))
    assert await store.count(TRIAL_VIEWS, {}) == 0


async def test_training_metrics_and_logs_are_kept_once(store: SqliteStore) -> None:
    points = TrainingReported(
        trial_id=1,
        lease_number=1,
        points=[TrainingPoint(length=Length.batches(n), metrics={"loss": float("nan")}, time=NOW) for n in (5, 10)],
    )
    lines = LogWritten(
        trial_id=1, lease_number=1, first=7, lines=[LogLine(time=NOW, stream="stdout", text=t) for t in ("a", "b")]
    )
    for _ in range(2):
        await MetricsHandlers(store).handle_telemetry(wrapped(points, lines, lines))
    [kept] = await store.find(TRAINING_POINTS, {})
    assert [(p["length"], p["metrics"]) for p in kept["points"]] == [(5, {"loss": None}), (10, {"loss": None})]
    [kept] = await store.find(LOGS, {})
    assert [(line["number"], line["text"]) for line in kept["lines"]] == [(7, "a"), (8, "b")]


async def test_a_checkpoint_that_is_deleted_stays_so_when_it_is_reported_again(store: SqliteStore) -> None:
    handlers = MetricsHandlers(store)
    await handlers.handle_events(wrapped(created(), saved(100)))
    await handlers.handle_events(wrapped(CheckpointDeleted(trial_id=1, uris=["file:///100"])))
    await handlers.handle_events(wrapped(saved(100), saved(200)))
    found = {checkpoint["length"]: checkpoint["deleted"] for checkpoint in await store.find(CHECKPOINTS, {})}
    assert found == {100: True, 200: False}
