"""Values: what a configuration may hold, so that everything it travels through can take it.

JSON has neither infinity nor what is no number; BSON's integers have 64 bits; neither takes half a character.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

DEEPEST = 50
"""Levels of mappings and lists."""
MOST = 100_000
"""Values, mappings and lists among them."""
_INT64 = range(-(2**63), 2**63)
Found = tuple[tuple[str | int, ...], str]
"""Where a mistake is, and what it is."""


class TooLargeError(ValueError):
    """A configuration that is deeper, or has more values, than any is."""


def unstorable(raw: Any) -> Iterator[Found]:
    """Where values are that cannot be sent or stored, each with what to write instead.

    Raises
    ------
    TooLargeError
        There are too many values, or they nest too deep.
    """
    left: list[tuple[tuple[str | int, ...], Any]] = [((), raw)]
    seen = 0
    while left:
        path, value = left.pop()
        seen += 1
        if len(path) > DEEPEST:
            raise TooLargeError(f"nests deeper than {DEEPEST} levels")
        if seen > MOST:
            raise TooLargeError(f"has more than {MOST:,} values")
        if isinstance(value, Mapping):
            for name, member in reversed(list(value.items())):
                if isinstance(name, str) and (reason := _untold(name)):
                    yield path, f"a name in it {reason}"
                left.append(((*path, name), member))
        elif isinstance(value, list | tuple):
            left += [((*path, index), member) for index, member in reversed(list(enumerate(value)))]
        elif reason := _reason(value):
            yield path, reason


def _reason(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} cannot be sent or stored; write a number, or text such as {str(value)!r} and convert it"
    if isinstance(value, int) and value not in _INT64:
        return "a whole number of more than 64 bits cannot be stored; write text and convert it"
    return _untold(value) if isinstance(value, str) else ""


def _untold(text: str) -> str:
    """Why text cannot be stored."""
    if "\0" in text:
        return "has a NUL, which cannot be stored"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "has half a character (a lone surrogate), which cannot be stored"
    return ""
