"""The search log and its snapshots as documents."""

import json

from hypothesis import given
from hypothesis import strategies as st

from etude_searcher import journal
from etude_searcher.search import Search
from tests.unit.make import NOW, created, validation


def search() -> Search:
    made = Search(created())
    made.begin()
    return made


def test_a_decision_is_read_as_it_was_written() -> None:
    made = Search(created())
    decision = made.begin()
    document = json.loads(json.dumps(journal.decision_document("exp", decision, NOW), allow_nan=False))
    assert document["_id"] == "exp:0"
    assert journal.recorded_decision(document) == decision


@given(st.floats())
def test_any_metric_survives_the_log(value: float) -> None:
    made = search()
    decision = made.decide(validation(1, 400, loss=value))
    assert decision is not None
    document = json.loads(json.dumps(journal.decision_document("exp", decision, NOW), allow_nan=False))
    assert repr(journal.recorded_decision(document).cause) == repr(decision.cause)


def test_a_snapshot_is_read_as_it_was_written() -> None:
    made = search()
    read = journal.latest_snapshot(journal.snapshot_documents("exp", made))
    assert read is not None
    assert read.snapshot() == made.snapshot()


def test_a_snapshot_may_take_several_documents(monkeypatch) -> None:
    monkeypatch.setattr(journal, "_PART", 100)
    made = search()
    documents = journal.snapshot_documents("exp", made)
    assert len(documents) > 3
    assert len({document["_id"] for document in documents}) == len(documents)
    read = journal.latest_snapshot(list(reversed(documents)))
    assert read is not None
    assert read.snapshot() == made.snapshot()


def test_an_incomplete_snapshot_gives_way_to_the_one_before(monkeypatch) -> None:
    monkeypatch.setattr(journal, "_PART", 100)
    monkeypatch.setattr(journal, "SNAPSHOT_EVERY", 1)
    made = search()
    before = journal.snapshot_documents("exp", made)
    made.decide(validation(1, 400))
    after = journal.snapshot_documents("exp", made)
    assert not {d["_id"] for d in before} & {d["_id"] for d in after}
    read = journal.latest_snapshot([*before, *after[:-1]])
    assert read is not None
    assert read.seq == 1


def test_there_may_be_no_snapshot() -> None:
    assert journal.latest_snapshot([]) is None


def test_an_experiment_document_tells_its_state() -> None:
    made = search()
    for trial in (1, 2, 3, 4):
        made.decide(validation(trial, 400, loss=trial))
    document = journal.experiment_document("exp", made, "then", NOW)
    assert (document["state"], document["seq"], document["progress"], document["trials"]) == ("completed", 5, 1.0, 4)
    assert document["best"]["trial_id"] == 1
    json.dumps(document, allow_nan=False)


def test_a_snapshot_of_a_newer_format_gives_way_to_one_that_can_be_read(monkeypatch) -> None:
    monkeypatch.setattr(journal, "SNAPSHOT_EVERY", 1)
    made = search()
    before = journal.snapshot_documents("exp", made)
    made.decide(validation(1, 400))
    newer = [{**d, "format": journal.SNAPSHOT_FORMAT + 1, "data": "?"} for d in journal.snapshot_documents("exp", made)]
    read = journal.latest_snapshot([*before, *newer])
    assert read is not None
    assert read.seq == 1
    assert journal.latest_snapshot(newer) is None
