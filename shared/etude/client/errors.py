"""What a client may raise."""

from etude.errors import Failure


class ApiError(Failure, RuntimeError):
    """The query API does not answer, or says no; the message says what."""


class ChangeError(Failure, ValueError):
    """A change that makes no sense; the message says which, and what would."""


class UndeliverableError(Failure, RuntimeError):
    """The broker has no queue for an event: no etude service has ever been connected to it."""
