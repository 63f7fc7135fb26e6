"""Delivery: what both transports do alike with a batch that they hand to a handler."""

import asyncio
from collections.abc import Sequence
from typing import Generic, TypeVar

import structlog

from etude.bus.port import Handler
from etude.errors import Unacceptable, Unavailable
from etude.events import Envelope, EventError

log = structlog.get_logger("etude.bus")

T = TypeVar("T")


class Outcome(Generic[T]):
    """Which messages of a batch are done, which go back, and which are dead with what reason."""

    def __init__(self) -> None:
        self.done: list[T] = []
        self.back: list[T] = []
        self.dead: list[tuple[T, str]] = []


async def deliver(messages: Sequence[tuple[T, bytes]], handler: Handler, retry_delay: float = 1.0) -> Outcome[T]:
    """Parse a batch and hand it over; on failure hand over one event at a time, to find the poisonous one."""
    outcome: Outcome[T] = Outcome()
    batch: list[tuple[T, Envelope]] = []
    for message, body in messages:
        try:
            batch.append((message, Envelope.parse(body)))
        except EventError as error:
            outcome.dead.append((message, str(error)))
    if not batch:
        return outcome
    if await _attempt(handler, [envelope for _, envelope in batch], retry_delay) is None:
        outcome.done.extend(message for message, _ in batch)
        return outcome
    for message, envelope in batch:
        failure = await _attempt(handler, [envelope], retry_delay)
        if failure is None:
            outcome.done.append(message)
        elif isinstance(failure, EventError | Unacceptable):
            outcome.dead.append((message, str(failure)))
        else:
            log.error("event could not be handled", event_type=envelope.type, event_id=envelope.id, exc_info=failure)
            outcome.back.append(message)
    return outcome


async def _attempt(handler: Handler, batch: Sequence[Envelope], retry_delay: float) -> Exception | None:
    delay = retry_delay
    while True:
        try:
            await handler(batch)
        except Unavailable as error:
            log.warning("waiting for a server", reason=str(error), retry_in_seconds=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5.0)
        except Exception as error:
            return error
        else:
            return None
