"""What model code may raise, and what may be raised in it."""


class CoreError(RuntimeError):
    """The core API was used in a way that cannot work; the message says what to do instead."""


class InvalidHyperparameters(Exception):  # noqa: N818 - a statement about the trial, not a mistake
    """Raised by model code: these hyperparameters make no sense. The search replaces the trial."""
