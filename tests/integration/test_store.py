"""Every store keeps the same promises."""

import asyncio
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from etude.store import Above, Below, ConflictError, DocumentStore, DuplicateKeyError, In, SqliteStore, UnstorableError
from etude.store.mongo import MongoStore
from etude.store.schema import EXPERIMENTS, SEARCH_LOG, TRIALS
from tests.servers.mongod import Mongod


def decision(seq: int, experiment_id: str = "exp") -> dict[str, object]:
    return {"_id": f"{experiment_id}:{seq}", "experiment_id": experiment_id, "seq": seq, "events": []}


async def test_documents_come_back_as_they_were_put(store: DocumentStore) -> None:
    document = {"_id": "a", "state": "active", "nested": {"list": [1, 2.5, None, True, "é"]}, "big": 2**53}
    await store.put(EXPERIMENTS, [document])
    assert await store.get(EXPERIMENTS, ["a", "missing"]) == [document]


async def test_putting_again_replaces(store: DocumentStore) -> None:
    await store.put(EXPERIMENTS, [{"_id": "a", "state": "active", "old": 1}])
    await store.put(EXPERIMENTS, [{"_id": "a", "state": "paused"}])
    assert await store.get(EXPERIMENTS, ["a"]) == [{"_id": "a", "state": "paused"}]


async def test_nothing_is_fine(store: DocumentStore) -> None:
    await store.put(EXPERIMENTS, [])
    await store.insert(EXPERIMENTS, [])
    await store.put_versioned(TRIALS, [])
    assert await store.get(EXPERIMENTS, []) == []


async def test_a_decision_is_written_once(store: DocumentStore) -> None:
    await store.insert(SEARCH_LOG, [decision(0), decision(1)])
    with pytest.raises(DuplicateKeyError):
        await store.insert(SEARCH_LOG, [{**decision(1), "_id": "another-id"}])
    with pytest.raises(DuplicateKeyError):
        await store.insert(SEARCH_LOG, [decision(1)])
    assert await store.count(SEARCH_LOG, {"experiment_id": "exp"}) == 2


async def test_nothing_is_added_after_a_duplicate(store: DocumentStore) -> None:
    await store.insert(SEARCH_LOG, [decision(0)])
    with pytest.raises(DuplicateKeyError):
        await store.insert(SEARCH_LOG, [decision(0), decision(1)])
    assert await store.count(SEARCH_LOG, {}) == 1


async def test_documents_are_found_sorted_and_limited(store: DocumentStore) -> None:
    await store.insert(SEARCH_LOG, [decision(seq) for seq in (2, 0, 1, 3)])
    await store.insert(SEARCH_LOG, [decision(0, "other")])

    async def found(where: dict[str, object], *order: str, limit: int | None = None) -> list[object]:
        return [d["seq"] for d in await store.find(SEARCH_LOG, {"experiment_id": "exp", **where}, order, limit)]

    assert await found({}, "seq") == [0, 1, 2, 3]
    assert await found({}, "-seq", limit=2) == [3, 2]
    assert await found({"seq": Above(1)}, "seq") == [2, 3]
    assert await found({"seq": Below(1)}, "seq") == [0]
    assert await found({"seq": In([3, 1, 9])}, "seq") == [1, 3]
    assert await found({"seq": In([])}, "seq") == []


async def test_a_document_is_never_replaced_by_an_earlier_one(store: DocumentStore) -> None:
    for seq, state in [(2, "second"), (1, "first"), (3, "third"), (3, "third again")]:
        await store.put_latest(EXPERIMENTS, [{"_id": "a", "seq": seq, "state": state}], by="seq")
    assert await store.get(EXPERIMENTS, ["a"]) == [{"_id": "a", "seq": 3, "state": "third"}]


async def test_an_earlier_document_holds_up_no_other(store: DocumentStore) -> None:
    await store.put_latest(EXPERIMENTS, [{"_id": "a", "seq": 2}], by="seq")
    await store.put_latest(EXPERIMENTS, [{"_id": "a", "seq": 1}, {"_id": "b", "seq": 1}], by="seq")
    assert [(d["_id"], d["seq"]) for d in await store.find(EXPERIMENTS, {}, ("_id",))] == [("a", 2), ("b", 1)]


async def test_what_fits_is_deleted_and_nothing_else(store: DocumentStore) -> None:
    await store.insert(SEARCH_LOG, [decision(seq) for seq in range(4)])
    await store.insert(SEARCH_LOG, [decision(0, "other")])
    assert await store.delete(SEARCH_LOG, {"experiment_id": "exp", "seq": Below(3)}) == 3
    assert await store.delete(SEARCH_LOG, {"experiment_id": "exp", "seq": Below(3)}) == 0
    assert [d["_id"] for d in await store.find(SEARCH_LOG, {}, ("_id",))] == ["exp:3", "other:0"]


@pytest.mark.parametrize("value", [2**70, {"a\0b": 1}, "x" * (17 * 2**20)])
async def test_what_the_database_has_no_place_for_is_named(mongod: Mongod, database: str, value: object) -> None:
    store = MongoStore(mongod.url, database)
    with pytest.raises(UnstorableError, match="experiments: MongoDB cannot hold a document"):
        await store.put(EXPERIMENTS, [{"_id": "a", "value": value}])
    await store.close()


async def test_a_version_is_written_once(store: DocumentStore) -> None:
    await store.put_versioned(TRIALS, [{"_id": "t", "version": 1, "by": "a"}])
    await store.put_versioned(TRIALS, [{"_id": "t", "version": 2, "by": "a"}])
    with pytest.raises(ConflictError):
        await store.put_versioned(TRIALS, [{"_id": "t", "version": 2, "by": "b"}])
    with pytest.raises(ConflictError):
        await store.put_versioned(TRIALS, [{"_id": "t", "version": 1, "by": "b"}])
    assert await store.get(TRIALS, ["t"]) == [{"_id": "t", "version": 2, "by": "a"}]


async def test_booleans_and_nothing_can_be_asked_for(store: DocumentStore) -> None:
    await store.put(TRIALS, [{"_id": "a", "open": True, "x": None}, {"_id": "b", "open": False, "x": 1}])
    assert [d["_id"] for d in await store.find(TRIALS, {"open": True})] == ["a"]
    assert [d["_id"] for d in await store.find(TRIALS, {"x": None})] == ["a"]


async def test_opening_twice_keeps_what_is_there(store: DocumentStore) -> None:
    await store.put(EXPERIMENTS, [{"_id": "a"}])
    await store.open()
    assert await store.count(EXPERIMENTS, {}) == 1


async def test_a_store_is_closed_after_what_was_begun(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    began = threading.Event()

    def slow(db: sqlite3.Connection) -> list[object]:
        began.set()
        time.sleep(0.2)
        return db.execute("SELECT 1").fetchall()

    reading = asyncio.create_task(store._run(slow))
    while not began.is_set():
        await asyncio.sleep(0.005)
    reading.cancel()
    await store.close()
    with pytest.raises(asyncio.CancelledError):
        await reading
