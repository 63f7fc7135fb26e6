"""DocumentStore: the port behind which documents lie. Documents are JSON values with a string ``_id``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from etude.store.schema import Collection

Document = dict[str, Any]


@dataclass(frozen=True)
class Above:
    """Greater than a value."""

    value: Any


@dataclass(frozen=True)
class Below:
    """Less than a value."""

    value: Any


@dataclass(frozen=True)
class In:
    """One of several values."""

    values: Sequence[Any]


Where = Mapping[str, Any]
"""Field to a value it must equal, or to :class:`Above`, :class:`Below` or :class:`In`."""


class DocumentStore(Protocol):
    """Holds documents durably: a call that returned has been written to disk (journal, majority)."""

    async def open(self) -> None:
        """Connect, and create collections and indexes that are missing."""

    async def close(self) -> None:
        """Disconnect."""

    async def get(self, collection: Collection, ids: Sequence[str]) -> list[Document]:
        """The documents with these ids; those that do not exist are left out."""

    async def find(
        self,
        collection: Collection,
        where: Where,
        order_by: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[Document]:
        """The documents that fit, sorted by fields (a leading ``-`` turns one around)."""

    async def count(self, collection: Collection, where: Where) -> int:
        """How many documents fit."""

    async def insert(self, collection: Collection, documents: Sequence[Document]) -> None:
        """Add new documents, in order.

        Raises
        ------
        DuplicateKeyError
            One is there already. Documents before it may have been added, none after it.
        """

    async def put(self, collection: Collection, documents: Sequence[Document]) -> None:
        """Add or replace documents."""

    async def put_latest(self, collection: Collection, documents: Sequence[Document], by: str) -> None:
        """Add documents, or replace those that are behind in field ``by``; a document that is not stays as it is."""

    async def put_versioned(self, collection: Collection, documents: Sequence[Document]) -> None:
        """Add documents of ``version`` 1, replace those whose stored ``version`` is one less than given.

        Raises
        ------
        ConflictError
            One was changed by somebody else; others may have been written.
        """

    async def delete(self, collection: Collection, where: Where) -> int:
        """Remove the documents that fit; returns how many there were."""
