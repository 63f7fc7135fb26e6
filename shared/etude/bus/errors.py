"""What can go wrong on the bus."""


class BusClosedError(RuntimeError):
    """The bus was closed while something still used it."""


class UnknownQueueError(LookupError):
    """A dead letter names a queue that does not exist (any more)."""
