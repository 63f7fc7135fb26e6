"""What every part of etude may raise."""


class Unavailable(Exception):  # noqa: N818 - a condition that passes, not a mistake
    """A server that is needed does not answer now. Handlers may raise it: their batch waits and is tried again."""
