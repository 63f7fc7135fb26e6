"""Reading: many documents at once without much memory at once."""

import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

from etude.store import Above, Document, DocumentStore
from etude.store.schema import Collection

_PART = 1000
_SHORT = 24  # states, names of machines, ids; times are longer, and differ


async def in_parts(
    store: DocumentStore, collection: Collection, where: Mapping[str, Any], by: str, after: Any
) -> AsyncIterator[list[Document]]:
    """The documents that fit, so many at a time.

    Parameters
    ----------
    by : a field that no two of them share; they come in its order
    after : less than its least value
    """
    while True:
        some = await store.find(collection, {**where, by: Above(after)}, (by,), _PART)
        if some:
            yield some
        if len(some) < _PART:
            return
        after = some[-1][by]


def compact(value: Any) -> Any:
    """The same, with its keys and short texts shared with all others; what a database reads has its own of each.

    >>> compact({"state": "running", "best": {"value": 1}})
    {'state': 'running', 'best': {'value': 1}}
    """
    match value:
        case dict():
            return {sys.intern(key): compact(part) for key, part in value.items()}
        case list():
            return [compact(part) for part in value]
        case str() if len(value) <= _SHORT:
            return sys.intern(value)
    return value
