"""The SQLite store: a file for `etude run`, ``:memory:`` for tests and simulation."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from etude.errors import Unavailable
from etude.store.errors import ConflictError, DuplicateKeyError
from etude.store.port import Above, Below, Document, In, Where
from etude.store.schema import COLLECTIONS, Collection

T = TypeVar("T")
_PASSING = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
    }
)
"""What goes away by itself, or when somebody makes room: the disk is full, or another process holds the file."""


class SqliteStore:
    """Documents as JSON in SQLite tables; see :class:`etude.store.DocumentStore`.

    A file is used from one thread of its own; ``:memory:`` is used in place, so that nothing but the caller decides
    the order of events (which simulation relies on).
    """

    def __init__(self, path: str | Path = ":memory:") -> None:
        self._path = str(path)
        self._thread = None if self._path == ":memory:" else ThreadPoolExecutor(1, "sqlite")
        self._connection: sqlite3.Connection | None = None

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def call() -> T:
            assert self._connection is not None, "open() the store first"
            try:
                with self._connection:
                    return work(self._connection)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF in _PASSING:
                    raise Unavailable(f"{self._path} cannot be used now: {error}") from error
                raise

        if self._thread is None:
            return call()
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def open(self) -> None:
        """Open the file, creating what is missing."""
        if self._connection is not None:
            return
        if self._path != ":memory:":
            Path(self._path).parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(self._path, check_same_thread=False, timeout=30)
        await self._run(_create)

    async def close(self) -> None:
        """Close the file, once all that was begun is done; whoever began it may have been cancelled meanwhile."""

        def call() -> None:
            if self._connection is not None:
                connection, self._connection = self._connection, None
                connection.close()

        if self._thread is None:
            call()
        else:
            await asyncio.get_running_loop().run_in_executor(self._thread, call)
            self._thread.shutdown()

    async def get(self, collection: Collection, ids: Sequence[str]) -> list[Document]:
        """The documents with these ids."""
        return await self.find(collection, {"_id": In(ids)}) if ids else []

    async def find(
        self, collection: Collection, where: Where, order_by: Sequence[str] = (), limit: int | None = None
    ) -> list[Document]:
        """The documents that fit, sorted."""
        clause, values = _where(where)
        order = ", ".join(f"{_field(name.lstrip('-'))} {'DESC' if name[0] == '-' else 'ASC'}" for name in order_by)
        sql = f'SELECT body FROM "{collection.name}" {clause}'
        if order:
            sql += f" ORDER BY {order}"
        if limit is not None:
            sql += f" LIMIT {int(limit)}"
        rows = await self._run(lambda db: db.execute(sql, values).fetchall())
        return [json.loads(body) for (body,) in rows]

    async def count(self, collection: Collection, where: Where) -> int:
        """How many documents fit."""
        clause, values = _where(where)
        sql = f'SELECT count(*) FROM "{collection.name}" {clause}'
        return int(await self._run(lambda db: db.execute(sql, values).fetchone()[0]))

    async def insert(self, collection: Collection, documents: Sequence[Document]) -> None:
        """Add new documents."""
        sql = f'INSERT INTO "{collection.name}" (id, body) VALUES (?, ?)'
        try:
            await self._run(lambda db: db.executemany(sql, _rows(documents)))
        except sqlite3.IntegrityError as error:
            raise DuplicateKeyError(f"{collection.name}: {error}") from None

    async def put(self, collection: Collection, documents: Sequence[Document]) -> None:
        """Add or replace documents."""
        sql = f'INSERT INTO "{collection.name}" (id, body) VALUES (?, ?) '
        sql += "ON CONFLICT (id) DO UPDATE SET body = excluded.body"
        await self._run(lambda db: db.executemany(sql, _rows(documents)))

    async def put_latest(self, collection: Collection, documents: Sequence[Document], by: str) -> None:
        """Add documents, or replace those that are behind."""
        stored, given = (f"json_extract({body}.body, '$.{by}')" for body in (f'"{collection.name}"', "excluded"))
        sql = f'INSERT INTO "{collection.name}" (id, body) VALUES (?, ?) '
        sql += f"ON CONFLICT (id) DO UPDATE SET body = excluded.body WHERE {stored} < {given}"
        await self._run(lambda db: db.executemany(sql, _rows(documents)))

    async def put_versioned(self, collection: Collection, documents: Sequence[Document]) -> None:
        """Add or replace documents, fenced by their version."""
        table = f'"{collection.name}"'
        add = f"INSERT INTO {table} (id, body) VALUES (?, ?) ON CONFLICT (id) DO NOTHING"
        replace = f"UPDATE {table} SET body = ? WHERE id = ? AND json_extract(body, '$.version') = ?"

        def work(db: sqlite3.Connection) -> None:
            for document in documents:
                body, version = _dump(document), document["version"]
                if version == 1:
                    done = db.execute(add, (document["_id"], body))
                else:
                    done = db.execute(replace, (body, document["_id"], version - 1))
                if done.rowcount != 1:
                    raise ConflictError(f"{collection.name} {document['_id']} is not at version {version - 1} any more")

        await self._run(work)

    async def delete(self, collection: Collection, where: Where) -> int:
        """Remove the documents that fit."""
        clause, values = _where(where)
        return int(await self._run(lambda db: db.execute(f'DELETE FROM "{collection.name}" {clause}', values).rowcount))


def _create(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    for collection in COLLECTIONS:
        table = collection.name
        db.execute(f'CREATE TABLE IF NOT EXISTS "{table}" (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID')
        for kind, keys in (("UNIQUE INDEX", collection.unique), ("INDEX", collection.indexes)):
            for fields in keys:
                columns = ", ".join(map(_field, fields))
                db.execute(f'CREATE {kind} IF NOT EXISTS "{table}_{"_".join(fields)}" ON "{table}" ({columns})')


def _field(name: str) -> str:
    if not name.replace("_", "").replace(".", "").isalnum():
        raise ValueError(f"not a field name: {name!r}; use letters, digits, _ and dots")
    return "id" if name == "_id" else f"json_extract(body, '$.{name}')"


def _where(where: Where) -> tuple[str, list[Any]]:
    parts: list[str] = []
    values: list[Any] = []
    for name, wanted in where.items():
        match wanted:
            case Above(value):
                parts.append(f"{_field(name)} > ?")
                values.append(value)
            case Below(value):
                parts.append(f"{_field(name)} < ?")
                values.append(value)
            case In(options):
                parts.append(f"{_field(name)} IN ({', '.join('?' * len(options))})")
                values.extend(options)
            case None:
                parts.append(f"{_field(name)} IS NULL")
            case _:
                parts.append(f"{_field(name)} = ?")
                values.append(wanted)
    return ("WHERE " + " AND ".join(parts) if parts else ""), values


def _rows(documents: Sequence[Document]) -> list[tuple[str, str]]:
    return [(document["_id"], _dump(document)) for document in documents]


def _dump(document: Document) -> str:
    return json.dumps(document, separators=(",", ":"), allow_nan=False)
