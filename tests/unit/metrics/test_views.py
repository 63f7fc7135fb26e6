"""Experiments and trials as they are queried, in whatever order things are heard."""

import itertools
import math
from typing import Any

import pytest

from etude.events import (
    AllocationEnded,
    AllocationStarted,
    BestTrial,
    CheckpointReference,
    CheckpointSaved,
    CloseReason,
    ConfigProblem,
    EndReason,
    Event,
    ExitReason,
    ExperimentActivated,
    ExperimentCanceled,
    ExperimentChangeRefused,
    ExperimentCompleted,
    ExperimentFailed,
    ExperimentPaused,
    ExperimentProgressed,
    ExperimentRejected,
    Length,
    TrialClosed,
    TrialContinued,
    TrialExited,
    TrialPaused,
    TrialProgressed,
    TrialRequested,
    ValidationCompleted,
)
from etude.store import Document
from etude_metrics.views import better, new_experiment, new_trial, tell_experiment, tell_trial, validation_document
from tests.unit.make import MODEL, created, envelope, raw_config, validation

ACTIVATED = ExperimentActivated(revision=0, config=raw_config(), model_definition=MODEL)
REQUESTED = TrialRequested(trial_id=1, hyperparameters={"rate": 0.1}, seed=7, slots=1, train_until=Length.batches(100))
IDS: dict[str, Any] = {"runner_id": "a", "trial_id": 1}


def best(value: float, trial_id: int = 1) -> BestTrial:
    return BestTrial(trial_id=trial_id, metric="loss", value=value, hyperparameters={}, length=100)


def experiment(*events: Event) -> Document:
    view = new_experiment("exp")
    for event in events:
        tell_experiment(view, envelope(event))
    return view


def trial(*events: Event, smaller_is_better: bool = True) -> Document:
    view, about = new_trial("exp", 1), experiment(created(raw_config({"smaller_is_better": smaller_is_better})))
    for event in events:
        tell_trial(view, envelope(event), about)
    return view


def continued(length: int) -> TrialContinued:
    return TrialContinued(trial_id=1, train_until=Length.batches(length))


def paused(length: int) -> TrialPaused:
    return TrialPaused(trial_id=1, length=Length.batches(length))


def ended(lease_number: int, reason: EndReason = EndReason.FINISHED, **fields: Any) -> AllocationEnded:
    return AllocationEnded(**IDS, lease_number=lease_number, reason=reason, **fields)


def test_a_created_experiment_is_described_by_its_configuration() -> None:
    view = experiment(created(raw_config(name="digits")))
    assert (view["name"], view["metric"], view["smaller_is_better"], view["state"]) == (
        "digits",
        "loss",
        True,
        "created",
    )


@pytest.mark.parametrize(
    ("last", "state"),
    [
        (ExperimentPaused(revision=5), "paused"),
        (ExperimentCompleted(revision=5, trials=4, best=best(0.1)), "completed"),
        (ExperimentFailed(revision=5, reason="no result"), "failed"),
        (ExperimentCanceled(revision=5), "canceled"),
    ],
)
def test_the_state_is_the_latest_one_in_whatever_order_it_is_heard(last: Event, state: str) -> None:
    for order in itertools.permutations([created(), ACTIVATED, last]):
        view = experiment(*order)
        assert view["state"] == state
        assert view["metric"] == "loss"
        assert view["created_at"] is not None


def test_an_experiment_whose_creation_was_missed_is_known_by_its_activation() -> None:
    view = experiment(ACTIVATED)
    assert view["model_definition"] == MODEL.to_json()
    assert view["order"] is not None, "it is listed"


@pytest.mark.parametrize(("activated", "refused"), [(4, "too few"), (6, None)])
def test_a_refusal_is_told_until_a_later_change_is_made(activated: int, refused: str | None) -> None:
    later = ExperimentActivated(revision=activated, config=raw_config(), model_definition=MODEL)
    refusal = ExperimentChangeRefused(revision=5, reason="too few")
    for order in itertools.permutations([created(), later, refusal]):
        assert experiment(*order)["refused"] == refused


def test_a_rejected_experiment_says_why() -> None:
    rejected = ExperimentRejected(errors=[ConfigProblem(path="searcher.metric", message="is required", line=3)])
    view = experiment(created(), rejected)
    assert (view["state"], view["reason"]) == ("rejected", "searcher.metric: is required")
    assert view["errors"] == [{"path": "searcher.metric", "message": "is required", "line": 3}]


def test_progress_never_falls_and_the_best_is_the_latest_told() -> None:
    view = experiment(
        ExperimentProgressed(revision=3, progress=0.5, trials=8, best=best(0.1)),
        ExperimentProgressed(revision=2, progress=0.3, trials=6, best=best(0.4)),
    )
    assert (view["progress"], view["trials"], view["best"]["value"]) == (0.5, 8, 0.1)


def test_a_completed_experiment_is_whole() -> None:
    view = experiment(ExperimentCompleted(revision=9, trials=16, best=best(0.1)))
    assert (view["progress"], view["trials"], view["ended_at"] is not None) == (1.0, 16, True)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([REQUESTED], "waiting"),
        ([REQUESTED, AllocationStarted(**IDS, lease_number=1)], "running"),
        ([AllocationStarted(**IDS, lease_number=1), REQUESTED], "running"),
        ([REQUESTED, AllocationStarted(**IDS, lease_number=1), ended(1)], "waiting"),
        ([REQUESTED, ended(1), AllocationStarted(**IDS, lease_number=1)], "waiting"),
        ([REQUESTED, AllocationStarted(**IDS, lease_number=1), ended(1), paused(100)], "paused"),
        ([REQUESTED, paused(100), continued(300)], "waiting"),
        ([REQUESTED, continued(300), paused(100)], "waiting"),
        ([REQUESTED, TrialClosed(trial_id=1, reason=CloseReason.STOPPED)], "stopped"),
        ([TrialClosed(trial_id=1, reason=CloseReason.STOPPED), REQUESTED], "stopped"),
    ],
)
def test_a_trials_state_follows_from_all_that_was_heard(events: list[Event], state: str) -> None:
    assert trial(*events)["state"] == state


def test_events_that_come_twice_change_nothing() -> None:
    events = [
        REQUESTED,
        AllocationStarted(**IDS, lease_number=1),
        ended(1, EndReason.FAILED, detail="x"),
        continued(300),
    ]
    assert trial(*events) == trial(*(event for event in events for _ in range(2)))


def test_failures_are_restarts_until_the_trial_is_given_up() -> None:
    exited = TrialExited(
        trial_id=1, reason=ExitReason.RESTARTS_USED_UP, restarts=1, detail="ValueError", log_tail=["oh"]
    )
    failures = [ended(1, EndReason.FAILED, detail="first"), ended(2, EndReason.FAILED, detail="second")]
    assert trial(REQUESTED, failures[0])["restarts"] == 1
    for order in ([*failures, exited], [failures[0], exited, failures[1]]):
        view = trial(REQUESTED, *order)
        assert view["restarts"] == 1
    assert (view["detail"], view["log_tail"]) == ("ValueError", ["oh"])


@pytest.mark.parametrize(("smaller", "value", "standing"), [(True, 0.1, 0.1), (False, 0.9, -0.9)])
def test_a_trial_keeps_its_best_validation_and_its_latest(smaller: bool, value: float, standing: float) -> None:
    view = trial(
        validation(1, 100, loss=0.5),
        validation(1, 200, loss=0.1),
        validation(1, 300, loss=0.9),
        validation(1, 250, loss=0.5),
        smaller_is_better=smaller,
    )
    assert (view["best"]["value"], view["standing"]) == (value, standing)
    assert (view["length"], view["metrics"]) == (300, {"loss": 0.9})


def test_a_result_that_is_no_number_is_shown_and_never_best() -> None:
    view = trial(validation(1, 100, loss=math.nan))
    assert (view["best"], view["metrics"]) == (None, {"loss": None})


def saved(length: int) -> CheckpointSaved:
    return CheckpointSaved(trial_id=1, lease_number=1, uri=f"file:///{length}", length=Length.batches(length), files=[])


def progressed(length: int, lease_number: int = 1) -> TrialProgressed:
    return TrialProgressed(trial_id=1, lease_number=lease_number, length=Length.batches(length))


def started(lease_number: int) -> AllocationStarted:
    return AllocationStarted(**IDS, lease_number=lease_number, slots=["a"])


@pytest.mark.parametrize(
    ("events", "trained"),
    [
        ([], 0),
        ([validation(1, 50, loss=0.5)], 50),
        ([validation(1, 50, loss=0.5), saved(60)], 60),
        ([started(1), progressed(70), progressed(65)], 70),
        ([started(1), saved(60), progressed(70), started(1)], 70),
        ([started(1), saved(60), progressed(70), started(2)], 60),
        ([started(2), progressed(65, 2), progressed(70, 1)], 65),
    ],
)
def test_a_trial_has_trained_as_far_as_its_latest_lease_tells(events: list[Event], trained: int) -> None:
    view = trial(REQUESTED, *events)
    assert view["trained"] == trained
    assert view["length"] in (None, 50), "which is that of validations alone"


def test_the_latest_checkpoint_is_the_longest() -> None:
    assert trial(saved(100), saved(50))["checkpoint"] == {"uri": "file:///100", "length": 100}


def test_a_validation_knows_whether_it_was_the_best_so_far() -> None:
    about = experiment(created())
    improves = [
        validation_document(envelope(validation(1, length, loss=loss)), order, about)["improves"]
        for order, (length, loss) in enumerate([(1, 0.5), (2, 0.7), (3, 0.4), (4, math.nan)])
    ]
    assert improves == [True, False, True, False]


def test_a_validation_keeps_where_its_checkpoint_lies() -> None:
    event = ValidationCompleted(
        trial_id=1,
        lease_number=2,
        length=Length(unit="epochs", amount=3),
        metrics={"loss": 1.0},
        checkpoint=CheckpointReference(uri="file:///c", length=3),
        seconds=1.5,
    )
    document = validation_document(envelope(event), 0, experiment(created()))
    assert (document["checkpoint"], document["unit"], document["seconds"]) == ("file:///c", "epochs", 1.5)


@pytest.mark.parametrize(
    ("value", "than", "smaller", "answer"),
    [
        (1, 2, True, True),
        (1, 2, False, False),
        (1, None, True, True),
        (None, 1, True, False),
        (math.inf, None, False, False),
    ],
)
def test_better(value: float | None, than: float | None, smaller: bool, answer: bool) -> None:
    assert better(value, than, smaller) is answer


def test_a_trial_that_is_tried_again_is_as_one_that_waits() -> None:
    experiment, trial = new_experiment("exp"), new_trial("exp", 1)

    def tell(*events: Event) -> str:
        for event in events:
            tell_trial(trial, envelope(event), experiment)
        return str(trial["state"])

    requested = TrialRequested(trial_id=1, hyperparameters={}, seed=1, slots=1, train_until=Length.batches(9))
    exited = TrialExited(trial_id=1, reason=ExitReason.RESTARTS_USED_UP, restarts=5, detail="oh", log_tail=["oh"])
    closed = TrialClosed(trial_id=1, reason=CloseReason.ERRORED, detail="oh")
    again = requested.model_copy(update={"attempt": 2})
    assert tell(requested, exited, closed) == "errored"
    assert tell(again) == "waiting"
    assert (trial["restarts"], trial["detail"], trial["log_tail"], trial["ended_at"]) == (0, None, [], None)
    assert tell(closed, exited, requested) == "waiting", "that comes twice"
    assert tell(closed.model_copy(update={"attempt": 2}), again) == "errored"
