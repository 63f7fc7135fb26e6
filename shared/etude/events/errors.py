"""What can be wrong with an event."""


class EventError(ValueError):
    """A body that is no event this version of etude can read."""
