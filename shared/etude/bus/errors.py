"""What can go wrong on the bus."""


class BusClosedError(RuntimeError):
    """The bus was closed while something still used it."""
