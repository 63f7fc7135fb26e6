"""What model code may raise, what may be raised in it, and how it is told in a line."""

import traceback


class CoreError(RuntimeError):
    """The core API was used in a way that cannot work; the message says what to do instead."""


class InvalidHyperparameters(Exception):  # noqa: N818 - a statement about the trial, not a mistake
    """Raised by model code: these hyperparameters make no sense. The search replaces the trial."""


def last_line(error: BaseException) -> str:
    """The last line of an error's traceback: its type and message.

    >>> last_line(ValueError("too wide"))
    'ValueError: too wide'
    """
    return "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
