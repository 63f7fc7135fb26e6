"""Search methods and samplers by name: plug-ins by entry point."""

from functools import cache
from importlib.metadata import entry_points
from typing import Any

METHODS = "etude.search_methods"
SAMPLERS = "etude.samplers"


class UnknownPluginError(LookupError):
    """No installed distribution offers a plug-in of that name."""


@cache
def plugin(group: str, name: str) -> Any:
    """The class that is registered under ``name`` in an entry point group.

    Raises
    ------
    UnknownPluginError
        There is none; the message lists those that are installed.
    """
    found = entry_points(group=group)
    for candidate in found:
        if candidate.name == name:
            return candidate.load()
    known = ", ".join(sorted(found.names))
    raise UnknownPluginError(
        f"no {group.removeprefix('etude.').replace('_', ' ').rstrip('s')} is called {name!r}; installed are: {known}"
    )
