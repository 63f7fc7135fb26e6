"""What can be wrong with an event."""


class EventError(ValueError):
    """A body that is no event this version of etude can read."""


class UnknownEventTypeError(EventError):
    """The envelope is well formed, but no event of its type is known."""

    def __init__(self, type_: str) -> None:
        super().__init__(
            f"no event of type {type_!r} is known to this version; see docs/asyncapi.yaml for those that are"
        )
        self.type = type_
