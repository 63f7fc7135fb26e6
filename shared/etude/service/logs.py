"""Logging: one JSON object a line, by structlog."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@")
_TOKEN = re.compile(r"\betude_([0-9a-f]{12})_[\w-]{43}")


def without_secrets(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An entry without the passwords of URLs and the secrets of tokens.

    >>> without_secrets(None, "", {"event": "no answer from amqp://etude:geheim@broker/"})
    {'event': 'no answer from amqp://etude:********@broker/'}
    """
    for name, value in entry.items():
        if isinstance(value, str):
            entry[name] = _TOKEN.sub(r"etude_\1_********", _PASSWORD.sub(r"\1:********@", value))
    return entry


def log_as_json(service: str, level: str = "INFO", *also: structlog.typing.Processor) -> None:
    """Write logs to stderr as JSON, with the service's name, and let libraries' warnings through the same way.

    Parameters
    ----------
    also : see each entry before it is written
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: list[structlog.typing.Processor] = [
        structlog.processors.format_exc_info,  # as text, and without the values of variables, which may be secrets
        without_secrets,
        *also,
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # the bus says the same, with the way out


def log_quietly() -> None:
    """For a process with a display of its own: nothing but errors."""
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, plain],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.ERROR)
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
