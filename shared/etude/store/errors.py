"""What can go wrong in the store."""


class DuplicateKeyError(RuntimeError):
    """A document with the same unique key is there already: somebody else wrote first."""


class ConflictError(RuntimeError):
    """A document changed since it was read: somebody else owns it now. Drop the state and load again."""
