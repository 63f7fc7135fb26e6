"""Spool: reports that the broker has not confirmed yet, on disk, in order."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import structlog

from etude.events import Envelope, EventError

log = structlog.get_logger("etude.runner")


class Spool:
    """A queue of envelopes that survives the runner.

    Parameters
    ----------
    path : a file, or ``:memory:``
    """

    def __init__(self, path: Path | str = ":memory:") -> None:
        if path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS reports (number INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB)")
        self._db.commit()

    def put(self, envelope: Envelope) -> None:
        """Keep an envelope."""
        with self._db:
            self._db.execute("INSERT INTO reports (body) VALUES (?)", (envelope.to_bytes(),))

    def peek(self, limit: int) -> list[tuple[int, Envelope]]:
        """The oldest envelopes, with their numbers."""
        envelopes: list[tuple[int, Envelope]] = []
        unreadable: list[int] = []
        for number, body in self._db.execute("SELECT number, body FROM reports ORDER BY number LIMIT ?", (limit,)):
            try:
                envelopes.append((number, Envelope.parse(body)))
            except EventError as error:
                log.error("a report of another version of etude is dropped", number=number, reason=str(error))
                unreadable.append(number)
        self.remove(unreadable)
        return envelopes

    def remove(self, numbers: Sequence[int]) -> None:
        """Forget envelopes that are confirmed."""
        with self._db:
            self._db.executemany("DELETE FROM reports WHERE number = ?", [(number,) for number in numbers])

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM reports").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._db.close()
