"""Spool: reports that the broker has not confirmed yet, on disk, in order."""

import sqlite3
from collections.abc import Collection
from pathlib import Path

import structlog

from etude.events import Envelope, EventError

log = structlog.get_logger("etude.runner")

FAILURES = (sqlite3.Error, OSError)
"""What the methods raise if the disk is full, or ill."""


class Spool:
    """A queue of envelopes that survives the runner.

    What this version cannot read, such as events of a newer one, stays where it is and holds nobody up: each life of
    the runner tries anew.

    Parameters
    ----------
    path : a file, or ``:memory:``
    """

    def __init__(self, path: Path | str = ":memory:") -> None:
        if path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path)
        self._unreadable: set[int] = set()
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS reports (number INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB)")
        self._db.commit()

    def put(self, envelope: Envelope) -> None:
        """Keep an envelope."""
        with self._db:
            self._db.execute("INSERT INTO reports (body) VALUES (?)", (envelope.to_bytes(),))

    def peek(self, limit: int, skip: Collection[int] = ()) -> list[tuple[int, Envelope]]:
        """The oldest envelopes, with their numbers.

        Parameters
        ----------
        skip : numbers of envelopes that are not wanted
        """
        envelopes: list[tuple[int, Envelope]] = []
        reasons: dict[int, str] = {}
        for number, body in self._db.execute("SELECT number, body FROM reports ORDER BY number"):
            if number in skip or number in self._unreadable:
                continue
            if len(envelopes) == limit:
                break
            try:
                envelopes.append((number, Envelope.parse(body)))
            except EventError as error:
                reasons[number] = str(error)
        self._set_aside(reasons)
        return envelopes

    def _set_aside(self, reasons: dict[int, str]) -> None:
        self._unreadable.update(reasons)
        if reasons:
            log.error(
                "reports that this version of etude cannot read are kept and not sent",
                count=len(self._unreadable),
                first=min(reasons),
                reason=reasons[min(reasons)],
            )

    @property
    def unreadable(self) -> int:
        """How many there are that this version cannot read, as far as it has come to them."""
        return len(self._unreadable)

    def remove(self, numbers: Collection[int]) -> None:
        """Forget envelopes that are confirmed."""
        with self._db:
            self._db.executemany("DELETE FROM reports WHERE number = ?", [(number,) for number in numbers])

    def __len__(self) -> int:
        """How many wait to be sent."""
        return int(self._db.execute("SELECT count(*) FROM reports").fetchone()[0]) - self.unreadable

    def close(self) -> None:
        """Close the file."""
        self._db.close()
