"""Places in a sorted list: keys that sort values of any kind, and cursors that name a place. Pure."""

import base64
import binascii
import bisect
import json
from collections.abc import Sequence
from typing import Any

from etude_metrics.api.problems import ProblemError

Place = tuple[tuple[int, int, Any], Any]
"""A sort key, and the id of what lies there, which sorts equals."""


def sort_key(value: Any, descending: bool) -> tuple[int, int, Any]:
    """Sorts numbers, then text, then what is missing, in either direction.

    >>> sorted([None, "b", 2, "a", 1], key=lambda value: sort_key(value, descending=True))
    [2, 1, 'b', 'a', None]
    """
    if isinstance(value, bool | int | float):
        return (0, 0, -value if descending else value)
    if isinstance(value, str):
        letters = [*map(ord, value), -1]
        return (0, 1, [-letter for letter in letters] if descending else letters)
    return (1, 0, 0)


def part(places: Sequence[Place], limit: int, cursor: str | None) -> tuple[list[Any], str | None]:
    """The ids of some places, and the cursor that asks for those after them.

    Raises
    ------
    ProblemError
        422: the cursor is none of ours.
    """
    begin = _after(cursor, places) if cursor else 0
    found = places[begin : begin + limit]
    more = begin + limit < len(places)
    return [name for _, name in found], _cursor(found[-1]) if more else None


def _cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _after(cursor: str, places: Sequence[Place]) -> int:
    """The index of the first place after that of a cursor."""
    try:
        key, name = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        return bisect.bisect_right(places, (tuple(key), name))
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise ProblemError(422, f"{cursor!r} is no cursor; give next_cursor of the page before") from None
