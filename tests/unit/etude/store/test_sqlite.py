"""What SQLite alone does: it shares a disk with others."""

import sqlite3
from pathlib import Path

import pytest

from etude.errors import Unavailable
from etude.store import SqliteStore
from etude.store.schema import LOGS

DOCUMENTS = [{"_id": str(number), "text": "x" * 1000} for number in range(100)]


async def test_a_full_disk_is_waited_for_and_nothing_is_half_written(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "etude.db")
    await store.open()
    connection = store._connection
    assert connection is not None
    [(pages,)] = connection.execute("PRAGMA page_count").fetchall()
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(Unavailable, match=r"etude\.db cannot be used now: database or disk is full"):
        await store.put(LOGS, DOCUMENTS)
    assert await store.count(LOGS, {}) == 0
    connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
    await store.put(LOGS, DOCUMENTS)
    assert await store.count(LOGS, {}) == 100
    await store.close()


async def test_a_mistake_of_our_own_is_not_waited_for(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "etude.db")
    await store.open()
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await store._run(lambda db: db.execute("SELECT * FROM nowhere"))
    await store.close()
