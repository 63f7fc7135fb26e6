"""Document ports with two implementations: MongoDB (`mongo`) and SQLite (`sqlite`)."""

from etude.store.errors import ConflictError, DuplicateKeyError, UnstorableError
from etude.store.port import Above, Below, Document, DocumentStore, In, Where
from etude.store.schema import COLLECTIONS, Collection
from etude.store.sqlite import SqliteStore

__all__ = [
    "COLLECTIONS",
    "Above",
    "Below",
    "Collection",
    "ConflictError",
    "Document",
    "DocumentStore",
    "DuplicateKeyError",
    "In",
    "SqliteStore",
    "UnstorableError",
    "Where",
]
