"""What model code may raise, what may be raised in it, and how it is told in a line."""

import argparse
import traceback
from typing import Any


class CoreError(RuntimeError):
    """The core API was used in a way that cannot work; the message says what to do instead."""


class MetricError(CoreError):
    """The metric that the search is for was reported as something that is no number."""


class InvalidHyperparameters(Exception):  # noqa: N818 - a statement about the trial, not a mistake
    """Raised by model code: these hyperparameters make no sense. The search replaces the trial."""


def last_line(error: BaseException) -> str:
    """The last line of an error's traceback: its type and message.

    >>> last_line(ValueError("too wide"))
    'ValueError: too wide'
    """
    return "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]


_USAGE_ERROR = 2  # exit code, by convention
_LASTING = (CoreError, ImportError, SyntaxError)


def is_retryable(error: BaseException) -> bool:
    """Might another attempt not meet the error? Not so a misuse of the API, a missing import or a syntax error.

    >>> is_retryable(OSError("connection reset")), is_retryable(ImportError("No module named 'timm'"))
    (True, False)
    """
    return not isinstance(error, _LASTING) and not is_usage_error(error)


def is_usage_error(error: BaseException) -> bool:
    """Is it the exit of an argparse parser that did not like its arguments?"""
    if not isinstance(error, SystemExit) or error.code != _USAGE_ERROR:
        return False
    return any(frame.name == "error" and frame.filename == argparse.__file__ for frame in _frames(error))


def _frames(error: BaseException) -> traceback.StackSummary:
    return traceback.extract_tb(error.__traceback__)


def failure(error: BaseException, retryable: bool | None = None) -> dict[str, Any]:
    """What the runner is told of an exception that ends a trial's process.

    >>> failure(ValueError("too wide"))
    {'say': 'failed', 'detail': 'ValueError: too wide', 'retryable': True}
    """
    told = str(error.code) if isinstance(error, SystemExit) else last_line(error)
    if is_usage_error(error):
        told = "the script does not accept its arguments; its usage is in the log"
    return {
        "say": "failed",
        "detail": told,
        "retryable": is_retryable(error) if retryable is None else retryable,
    }
