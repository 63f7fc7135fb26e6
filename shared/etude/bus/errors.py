"""What can go wrong on the bus."""


class BusClosedError(RuntimeError):
    """The bus was closed while something still used it."""


class Unavailable(Exception):  # noqa: N818 - a condition that passes, not a mistake
    """A server that is needed does not answer now. Handlers may raise it: their batch waits and is tried again."""
