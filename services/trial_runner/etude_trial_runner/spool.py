"""Spool: reports that the broker has not confirmed yet, on disk, in order, and those that it confirmed lately."""

import contextlib
import sqlite3
from collections.abc import Collection
from pathlib import Path

import structlog

from etude.events import Envelope, EventError

log = structlog.get_logger("etude.runner")

KEPT_SECONDS = 300.0
"""For so long what was confirmed is kept, to be repeated."""

FAILURES = (sqlite3.Error, OSError)
"""What the methods raise if the disk is full, or ill."""


class Spool:
    """A queue of envelopes that survives the runner.

    What was confirmed stays a while, since a broker that comes back empty has lost it. How long, is reckoned to the
    last confirmation and not to now: a runner that was away for a day repeats what it said last.

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
        if "confirmed" not in [column[1] for column in self._db.execute("PRAGMA table_info(reports)")]:
            self._db.execute("ALTER TABLE reports ADD COLUMN confirmed REAL")
        self._db.execute("CREATE INDEX IF NOT EXISTS reports_by_confirmation ON reports (confirmed)")
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
        waiting = "SELECT number, body FROM reports WHERE confirmed IS NULL ORDER BY number"
        for number, body in self._db.execute(waiting):
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

    def confirmed(self, limit: int) -> list[Envelope]:
        """The last ``limit`` envelopes that were confirmed lately, in order."""
        envelopes: list[Envelope] = []
        latest = "SELECT body FROM reports WHERE confirmed IS NOT NULL ORDER BY number DESC LIMIT ?"
        for (body,) in self._db.execute(latest, (limit,)):
            with contextlib.suppress(EventError):  # another version's, which sent it
                envelopes.append(Envelope.parse(body))
        return envelopes[::-1]

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

    def confirm(self, numbers: Collection[int], now: float) -> None:
        """The broker has these envelopes, since ``now``, in seconds: what it has had for long is forgotten."""
        with self._db:
            self._db.executemany(
                "UPDATE reports SET confirmed = ? WHERE number = ?", [(now, number) for number in numbers]
            )
            self._db.execute("DELETE FROM reports WHERE confirmed < ?", (now - KEPT_SECONDS,))

    def __len__(self) -> int:
        """How many wait to be sent."""
        waiting = self._db.execute("SELECT count(*) FROM reports WHERE confirmed IS NULL").fetchone()[0]
        return int(waiting) - self.unreadable

    def close(self) -> None:
        """Close the file."""
        self._db.close()
