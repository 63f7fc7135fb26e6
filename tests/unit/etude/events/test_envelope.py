"""Envelopes: ids, subjects and times."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from etude.events import (
    Envelope,
    EventError,
    ExperimentPaused,
    Length,
    RunnerLeft,
    TrialContinued,
    derived_id,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_subject_says_what_it_is_about() -> None:
    trial = TrialContinued(trial_id=3, train_until=Length.batches(1))
    runner = RunnerLeft(runner_id="gpu-7", session="1")
    assert Envelope.wrap(trial, source="s", time=NOW, experiment_id="exp").subject == "experiments/exp/trials/3"
    assert Envelope.wrap(runner, source="s", time=NOW).subject == "runners/gpu-7"
    assert (
        Envelope.wrap(ExperimentPaused(revision=1), source="s", time=NOW, experiment_id="exp").subject
        == "experiments/exp"
    )


def test_ids_differ_unless_they_are_given() -> None:
    event = ExperimentPaused(revision=1)
    assert Envelope.wrap(event, source="s", time=NOW).id != Envelope.wrap(event, source="s", time=NOW).id
    assert Envelope.wrap(event, source="s", time=NOW, id="mine").id == "mine"


def test_a_derived_id_depends_on_every_part() -> None:
    assert derived_id("exp", 1, 2) == derived_id("exp", 1, 2)
    assert (
        len({derived_id("exp", 1, 2), derived_id("exp", 1, 3), derived_id("exp", 2, 2), derived_id("other", 1, 2)}) == 4
    )


def test_times_are_utc() -> None:
    event = ExperimentPaused(revision=1)
    elsewhere = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert Envelope.wrap(event, source="s", time=elsewhere).time == NOW
    assert Envelope.wrap(event, source="s", time=datetime(2026, 1, 1)).time == NOW


def test_an_event_that_belongs_to_no_experiment_says_how_to_mend_that() -> None:
    with pytest.raises(EventError, match="set that extension to the experiment's id"):
        _ = Envelope.wrap(ExperimentPaused(revision=1), source="s", time=NOW).experiment


def test_numbers_that_json_does_not_have_survive() -> None:
    from etude.events import ValidationCompleted

    metrics = {"nan": float("nan"), "inf": float("inf"), "low": float("-inf"), "one": 1.0}
    event = ValidationCompleted(trial_id=1, lease_number=1, length=Length.batches(1), metrics=metrics)
    again = Envelope.parse(Envelope.wrap(event, source="s", time=NOW).to_bytes()).data
    assert isinstance(again, ValidationCompleted)
    assert repr(again.metrics) == repr(metrics)


@pytest.mark.parametrize(
    "value", [True, -1, "3", {"batches": -1}, {"batches": 1, "epochs": 1}, {"batches": 1.5}, {}, None]
)
def test_a_length_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected a length"):
        Length.model_validate(value)
