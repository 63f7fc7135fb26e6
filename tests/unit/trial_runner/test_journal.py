"""The runner's own log, on its way to people."""

import structlog

from etude_trial_runner.journal import Journal
from tests.unit.make import NOW


def journal() -> Journal:
    return Journal("gpu-7", "session", lambda: NOW)


def logger(*processors: structlog.typing.Processor) -> structlog.typing.FilteringBoundLogger:
    """One whose entries go to processors and then nowhere."""
    return structlog.wrap_logger(
        structlog.testing.CapturingLogger(), processors=[structlog.processors.add_log_level, *processors]
    )


def test_what_is_logged_is_told_once_in_order() -> None:
    made = journal()
    log = logger(made, structlog.processors.JSONRenderer())
    log.info("trial starts", trial_id=3, detail="", said="it works")
    log.warning("too full")
    told = made.take()
    assert told is not None
    assert (told.runner_id, told.session, told.number) == ("gpu-7", "session", 1)
    assert [(line.level, line.text, line.time) for line in told.lines] == [
        ("info", 'trial starts trial_id=3 said="it works"', NOW),
        ("warning", "too full", NOW),
    ]
    assert made.take() is None
    log.info("again")
    assert (again := made.take()) and again.number == 2


def test_a_traceback_goes_along() -> None:
    made = journal()
    log = logger(structlog.processors.format_exc_info, made, structlog.processors.JSONRenderer())
    try:
        raise ValueError("no disk")
    except ValueError:
        log.exception("trial could not be carried out", trial_id=3)
    told = made.take()
    assert told is not None
    assert told.lines[0].text.startswith("trial could not be carried out trial_id=3\nTraceback")
    assert told.lines[0].text.endswith("ValueError: no disk")


def test_if_nobody_takes_it_the_oldest_goes() -> None:
    made = journal()
    log = logger(made, structlog.processors.JSONRenderer())
    for number in range(1200):
        log.info(f"line {number}")
    told = made.take()
    assert told is not None
    assert (len(told.lines), told.lines[0].text) == (1000, "line 200")
