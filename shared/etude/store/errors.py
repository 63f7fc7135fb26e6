"""What can go wrong in the store."""

from etude.errors import Unacceptable


class UnstorableError(Unacceptable):
    """A document holds a value that the database has no place for; the message names the collection and says what."""


class DuplicateKeyError(RuntimeError):
    """A document with the same unique key is there already: somebody else wrote first."""


class ConflictError(RuntimeError):
    """A document changed since it was read: somebody else owns it now. Drop the state and load again."""
