"""Reports on disk, in order."""

import contextlib
import sqlite3
from pathlib import Path

from etude.events import Event
from etude_trial_runner.spool import KEPT_SECONDS, Spool
from tests.unit.make import envelope, validation


def test_envelopes_come_back_in_order_until_they_are_confirmed(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "deep" / "spool.db")
    sent = [envelope(validation(trial, 1)) for trial in (1, 2, 3)]
    for one in sent:
        spool.put(one)
    assert [e for _, e in spool.peek(2)] == sent[:2]
    spool.confirm([number for number, _ in spool.peek(2)], now=0)
    spool.close()
    again = Spool(tmp_path / "deep" / "spool.db")
    assert [e for _, e in again.peek(10)] == sent[2:]
    assert len(again) == 1


def test_numbers_are_never_used_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    spool.put(envelope(validation(1, 1)))
    [(first, _)] = spool.peek(1)
    spool.confirm([first], now=0)
    spool.put(envelope(validation(2, 1)))
    [(second, _)] = spool.peek(1)
    assert second > first


def insert(path: Path, body: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO reports (body) VALUES (?)", (body,))


def test_what_cannot_be_read_holds_nobody_up_and_is_kept(tmp_path: Path, capsys) -> None:
    path = tmp_path / "spool.db"
    spool = Spool(path)
    insert(path, "from another age")
    insert(path, envelope(validation(1, 1)).to_bytes().decode().replace("completed.v1", "completed.v9"))
    insert(path, envelope(validation(1, 1)).to_bytes().decode().replace('"lease_number":1', '"lease_number":-1'))
    spool.put(envelope(validation(2, 1)))
    for _ in range(3):
        [(number, found)] = spool.peek(10)
        assert found.data.trial_id == 2  # type: ignore[attr-defined]
    assert (len(spool), spool.unreadable) == (1, 3)
    spool.confirm([number], now=0)
    assert capsys.readouterr().out.count("cannot read are kept") == 1
    again = Spool(path)
    assert again.peek(10) == []
    assert again.unreadable == 3


def test_a_later_version_sends_what_an_earlier_one_could_not_read(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "spool.db"
    older = Spool(path)
    older.put(envelope(validation(1, 1)))
    older.put(envelope(validation(2, 1)))
    with monkeypatch.context() as before:
        before.delitem(Event.registry, "etude.validation.completed.v1")
        assert older.peek(10) == []
    assert [e.data.trial_id for _, e in Spool(path).peek(10)] == [1, 2]  # type: ignore[attr-defined]


def test_what_is_skipped_does_not_count_for_the_limit() -> None:
    spool = Spool()
    for trial in range(1, 5):
        spool.put(envelope(validation(trial, 1)))
    first, second = (number for number, _ in spool.peek(2))
    assert [e.data.trial_id for _, e in spool.peek(2, skip={first, second})] == [3, 4]  # type: ignore[attr-defined]


def test_what_was_confirmed_is_kept_for_a_while_after_the_last_confirmation(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    sent = [envelope(validation(trial, 1)) for trial in (1, 2, 3)]
    for now, one in enumerate(sent):
        spool.put(one)
        [(number, _)] = spool.peek(10)
        spool.confirm([number], now=now * 0.75 * KEPT_SECONDS)
    spool.close()
    again = Spool(tmp_path / "spool.db")
    assert again.confirmed(10) == sent[1:]
    assert again.confirmed(1) == sent[2:]
    assert len(again) == 0


def test_a_spool_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    sent = envelope(validation(1, 1))
    with contextlib.closing(sqlite3.connect(tmp_path / "spool.db")) as earlier, earlier:
        earlier.execute("CREATE TABLE reports (number INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB)")
        earlier.execute("INSERT INTO reports (body) VALUES (?)", (sent.to_bytes(),))
    spool = Spool(tmp_path / "spool.db")
    assert [e for _, e in spool.peek(10)] == [sent]
