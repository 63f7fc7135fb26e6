"""The MongoDB store, on motor. The only module that knows either."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from bson.errors import BSONError
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ASCENDING, DESCENDING, InsertOne, ReplaceOne, WriteConcern
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from etude.errors import Failure, Unavailable
from etude.store.errors import ConflictError, DuplicateKeyError, UnstorableError
from etude.store.port import Above, Below, Document, In, Where
from etude.store.schema import COLLECTIONS, Collection

_DUPLICATE_KEY = 11000
_TOO_LARGE = 10334
_UNSTORABLE = (BSONError, DocumentTooLarge, OverflowError, UnicodeEncodeError)
_AWAY = (AutoReconnect, ConnectionFailure, ExecutionTimeout, WTimeoutError)
_SELECTION_MS = 3000
_WRITE_MS = 15000
_BATCH = 1000  # of documents that are read or written at a time; while some are decoded, nothing else goes on


class MongoStore:
    """Documents in MongoDB 4.4 to 8, written with majority and journal; see :class:`etude.store.DocumentStore`.

    Parameters
    ----------
    url : ``mongodb://...``
    database : name of the database

    Raises
    ------
    Failure
        The URL cannot be read.
    Unavailable
        From every method: MongoDB does not answer now.
    """

    def __init__(self, url: str, database: str = "etude") -> None:
        concern = WriteConcern(w="majority", j=True, wtimeout=_WRITE_MS)
        try:
            self._client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
                url, serverSelectionTimeoutMS=_SELECTION_MS, connectTimeoutMS=_SELECTION_MS, appname="etude"
            )
            self._database = self._client.get_database(database, write_concern=concern)
        except (ValueError, PyMongoError) as error:
            raise Failure(f"ETUDE_MONGO_URL and ETUDE_DATABASE cannot be used: {error}") from None

    async def open(self) -> None:
        """Connect, and create indexes that are missing."""
        with _away():
            for collection in COLLECTIONS:
                there = self._database[collection.name]
                for fields in collection.unique:
                    await there.create_index([(field, ASCENDING) for field in fields], unique=True)
                for fields in collection.indexes:
                    await there.create_index([(field, ASCENDING) for field in fields])

    async def ping(self) -> None:
        """Raise Unavailable if MongoDB does not answer."""
        with _away():
            await self._client.admin.command("ping")

    async def close(self) -> None:
        """Disconnect."""
        self._client.close()

    async def get(self, collection: Collection, ids: Sequence[str]) -> list[Document]:
        """The documents with these ids."""
        return await self.find(collection, {"_id": In(ids)}) if ids else []

    async def find(
        self, collection: Collection, where: Where, order_by: Sequence[str] = (), limit: int | None = None
    ) -> list[Document]:
        """The documents that fit, sorted."""
        with _away():
            cursor = self._database[collection.name].find(_filter(where), batch_size=_BATCH)
            if order_by:
                order = [(name.lstrip("-"), DESCENDING if name[0] == "-" else ASCENDING) for name in order_by]
                cursor = cursor.sort(order)
            if limit is not None:
                if limit == 0:
                    return []
                cursor = cursor.limit(limit)
            return list(await cursor.to_list(None))

    async def count(self, collection: Collection, where: Where) -> int:
        """How many documents fit."""
        with _away():
            return int(await self._database[collection.name].count_documents(_filter(where)))

    async def insert(self, collection: Collection, documents: Sequence[Document]) -> None:
        """Add new documents, in order."""
        try:
            await self._write(collection, [InsertOne(document) for document in documents], ordered=True)
        except BulkWriteError as error:
            _refuse(error, collection)

    async def put(self, collection: Collection, documents: Sequence[Document]) -> None:
        """Add or replace documents."""
        writes = [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in documents]
        await self._write(collection, writes, ordered=True)

    async def put_latest(self, collection: Collection, documents: Sequence[Document], by: str) -> None:
        """Add documents, or replace those that are behind."""
        writes = [ReplaceOne({"_id": d["_id"], by: {"$lt": d[by]}}, d, upsert=True) for d in documents]
        try:
            await self._write(collection, writes, ordered=False)
        except BulkWriteError as error:
            if not _only_duplicates(error):  # a duplicate is a document that is not behind
                raise

    async def put_versioned(self, collection: Collection, documents: Sequence[Document]) -> None:
        """Add or replace documents, fenced by their version."""
        writes: list[Any] = []
        for document in documents:
            if document["version"] == 1:
                writes.append(InsertOne(document))
            else:
                before = {"_id": document["_id"], "version": document["version"] - 1}
                writes.append(ReplaceOne(before, document))
        try:
            matched = await self._write(collection, writes, ordered=True)
        except BulkWriteError as error:
            if _is_duplicate(error):
                raise ConflictError(f"{collection.name}: somebody else added a document first") from None
            raise
        replaced = sum(document["version"] > 1 for document in documents)
        if matched != replaced:
            raise ConflictError(
                f"{collection.name}: {replaced - matched} of {replaced} documents were changed by somebody else"
            )

    async def delete(self, collection: Collection, where: Where) -> int:
        """Remove the documents that fit."""
        with _away():
            return int((await self._database[collection.name].delete_many(_filter(where))).deleted_count)

    async def _write(self, collection: Collection, writes: Sequence[Any], ordered: bool) -> int:
        """Write in bulk; returns how many documents were found to be replaced."""
        matched = 0
        for start in range(0, len(writes), _BATCH):
            with _away(), _refused(collection):
                result = await self._database[collection.name].bulk_write(
                    list(writes[start : start + _BATCH]), ordered=ordered
                )
            matched += result.matched_count
        return matched


@contextlib.contextmanager
def _away() -> Iterator[None]:
    """Turn what motor says when the server is away into Unavailable."""
    try:
        yield
    except _AWAY as error:
        raise Unavailable(
            f"MongoDB does not answer: {str(error).split(', Timeout:')[0]}; is ETUDE_MONGO_URL right?"
        ) from error
    except BulkWriteError as error:
        details = error.details or {}
        if details.get("writeConcernErrors") and not details.get("writeErrors"):
            raise Unavailable(
                f"MongoDB did not make a write durable in {_WRITE_MS} ms: {details['writeConcernErrors'][0]}; "
                "are enough members of its replica set up?"
            ) from error
        raise


@contextlib.contextmanager
def _refused(collection: Collection) -> Iterator[None]:
    """Turn what the driver says about documents that it cannot write into UnstorableError."""
    try:
        yield
    except (OperationFailure, *_UNSTORABLE) as error:
        if isinstance(error, OperationFailure) and error.code != _TOO_LARGE:
            raise
        reason = str(error).split(", full error:")[0]
        raise UnstorableError(f"{collection.name}: MongoDB cannot hold a document: {reason}") from error


def _filter(where: Where) -> dict[str, Any]:
    query: dict[str, Any] = {}
    for name, wanted in where.items():
        match wanted:
            case Above(value):
                query[name] = {"$gt": value}
            case Below(value):
                query[name] = {"$lt": value}
            case In(options):
                query[name] = {"$in": list(options)}
            case _:
                query[name] = wanted
    return query


def _only_duplicates(error: BulkWriteError) -> bool:
    return all(item.get("code") == _DUPLICATE_KEY for item in (error.details or {}).get("writeErrors", []))


def _is_duplicate(error: BulkWriteError) -> bool:
    return any(item.get("code") == _DUPLICATE_KEY for item in (error.details or {}).get("writeErrors", []))


def _refuse(error: BulkWriteError, collection: Collection) -> None:
    if _is_duplicate(error):
        raise DuplicateKeyError(f"{collection.name}: a document with the same key is there already") from None
    raise error
