"""Names of values in nested mappings, such as of hyperparameters: dots lead into groups, and may be in names, too."""

import keyword
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MISSING = object()
"""What is found where nothing is."""


def find(values: Any, name: Sequence[str]) -> Any:
    """The value of a name, or :data:`MISSING`; a key that is the whole name comes before groups that its dots lead to.

    >>> find({"net": {"width": 8}}, ["net", "width"]), find({"net.width": 4, "net": {"width": 8}}, ["net", "width"])
    (8, 4)
    """
    if not name:
        return values
    if isinstance(values, Mapping):
        for length in range(len(name), 0, -1):
            key = ".".join(name[:length])
            if key in values:
                found = find(values[key], name[length:])
                if found is not MISSING:
                    return found
    return MISSING


def quoted(name: Iterable[str]) -> str:
    """A name as expressions have it: what Python would not take for one word is in backquotes.

    >>> quoted(["net", "batch-size"])
    'net.`batch-size`'
    """
    return ".".join(word if _is_word(word) else f"`{word}`" for word in name)


def _is_word(word: str) -> bool:
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in word.split("."))
