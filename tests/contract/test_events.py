"""Events on the wire: what is written can be read, by us and by whoever holds the AsyncAPI document."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings

from etude.bus.asyncapi import as_yaml, document
from etude.events import Envelope, Event, EventError
from tests.contract.event_strategies import envelopes

CHECKED_IN = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"
DOCUMENT = document()
NAMED_IN_THE_DESIGN = {
    "experiment": "created pause-requested activate-requested cancel-requested kill-requested change-requested "
    "archive-requested delete-requested retry-requested resync-requested change-refused rejected paused "
    "activated progressed completed failed canceled deleted",
    "trial": "requested continued paused closed exited progressed",
    "allocation": "granted extended released revoked started ended",
    "runner": "joined heartbeat draining left logged change-requested",
    "pool": "reported",
    "validation": "completed",
    "checkpoint": "saved discarded deleted",
    "training": "reported",
    "log": "written",
    "search": "asked answered",
}


def canonical(envelope: Envelope) -> object:
    """As JSON values: unlike NaN, these equal themselves."""
    return json.loads(envelope.to_bytes())


@settings(max_examples=300)
@given(envelopes())
def test_what_is_written_is_read_back(envelope: Envelope) -> None:
    again = Envelope.parse(envelope.to_bytes())
    assert type(again.data) is type(envelope.data)
    assert canonical(again) == canonical(envelope)


def test_the_checked_in_document_is_the_one_the_models_make() -> None:
    assert CHECKED_IN.read_text() == as_yaml(), "run `make generate` and commit docs/asyncapi.yaml"


@settings(max_examples=200)
@given(envelopes())
def test_every_event_fits_the_document(envelope: Envelope) -> None:
    payload = DOCUMENT["components"]["messages"][type(envelope.data).__name__]["payload"]
    jsonschema.Draft202012Validator({**payload, "components": DOCUMENT["components"]}).validate(canonical(envelope))


def test_there_is_every_event_of_the_design_and_no_other() -> None:
    named = {f"etude.{entity}.{verb}.v1" for entity, verbs in NAMED_IN_THE_DESIGN.items() for verb in verbs.split()}
    assert set(Event.registry) == named


def test_fields_that_are_not_known_are_ignored() -> None:
    body = {
        "specversion": "1.0",
        "id": "1",
        "source": "a-newer-searcher",
        "type": "etude.trial.continued.v1",
        "time": "2026-01-01T00:00:00Z",
        "experimentid": "exp",
        "newextension": 1,
        "data": {"trial_id": 3, "train_until": {"epochs": 2}, "mood": "good"},
    }
    envelope = Envelope.parse(json.dumps(body))
    assert envelope.data.to_json() == {"trial_id": 3, "train_until": {"epochs": 2}}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"type": "etude.trial.danced.v1"}, "etude.trial.danced.v1"),
        ({"data": {"trial_id": 0, "train_until": 5}}, "data.trial_id"),
        ({"data": {"trial_id": 1, "train_until": {"miles": 5}}}, "data.train_until"),
        ({"data": None}, "data: Input should be"),
        ({"id": ""}, "id"),
        ({"time": "yesterday"}, "time"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(change: dict[str, object], complaint: str) -> None:
    body = {
        "specversion": "1.0",
        "id": "1",
        "source": "s",
        "type": "etude.trial.continued.v1",
        "time": "2026-01-01T00:00:00Z",
        "data": {"trial_id": 1, "train_until": {"batches": 1}},
    }
    with pytest.raises(EventError, match="not an etude event") as caught:
        Envelope.parse(json.dumps({**body, **change}))
    assert complaint in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe"])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(EventError):
        Envelope.parse(body)
