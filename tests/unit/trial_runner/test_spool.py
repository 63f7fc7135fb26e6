"""Reports on disk, in order."""

import sqlite3
from pathlib import Path

from etude_trial_runner.spool import Spool
from tests.unit.make import envelope, validation


def test_envelopes_come_back_in_order_until_they_are_removed(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "deep" / "spool.db")
    sent = [envelope(validation(trial, 1)) for trial in (1, 2, 3)]
    for one in sent:
        spool.put(one)
    assert [e for _, e in spool.peek(2)] == sent[:2]
    spool.remove([number for number, _ in spool.peek(2)])
    spool.close()
    again = Spool(tmp_path / "deep" / "spool.db")
    assert [e for _, e in again.peek(10)] == sent[2:]
    assert len(again) == 1


def test_numbers_are_never_used_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    spool.put(envelope(validation(1, 1)))
    [(first, _)] = spool.peek(1)
    spool.remove([first])
    spool.put(envelope(validation(2, 1)))
    [(second, _)] = spool.peek(1)
    assert second > first


def test_what_cannot_be_read_any_more_holds_nobody_up(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    with sqlite3.connect(tmp_path / "spool.db") as db:
        db.execute("INSERT INTO reports (body) VALUES ('from another age')")
    spool.put(envelope(validation(1, 1)))
    assert [e.data.trial_id for _, e in spool.peek(10)] == [1]  # type: ignore[attr-defined]
    assert len(spool) == 1
