"""Envelopes: ids, subjects and times."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def body(**fields: Any) -> bytes:
    """A good event, with some fields set to others."""
    event = {
        "specversion": "1.0",
        "id": "a",
        "source": "s",
        "type": "etude.trial.paused.v1",
        "time": "2026-01-01T00:00:00Z",
        "data": {"trial_id": 1, "length": {"batches": 1}},
    }
    return json.dumps({**event, **fields}).encode()


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
def test_a_time_that_does_not_exist_in_utc_is_an_error_of_that_event_and_names_the_place(time: str) -> None:
    with pytest.raises(EventError, match="time: there is no such time in UTC"):
        Envelope.parse(body(time=time))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.binary() | _JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_an_event_or_an_event_error(raw: bytes) -> None:
    with pytest.raises(EventError):
        Envelope.parse(raw)


@given(
    st.sampled_from(["id", "source", "type", "time", "subject", "experimentid", "pool", "data", "specversion"]), _JSON
)
def test_a_field_with_anything_in_it_is_read_and_written_again_or_is_an_event_error(field: str, value: Any) -> None:
    try:
        envelope = Envelope.parse(body(**{field: value}))
    except EventError:
        return
    assert Envelope.parse(envelope.to_bytes()) == envelope
