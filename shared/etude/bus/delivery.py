"""Delivery: what both transports do alike with a batch that they hand to a handler."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Generic, TypeVar

import structlog

from etude.bus.port import REFUSAL_LIMIT, DeadLetter, Handler, LetterHandler
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


class Refusals:
    """How often a handler failed on each event that it was given.

    The broker cannot count this: it counts a delivery whose connection was lost, too, so that a flapping network would
    make dead letters of good events.
    """

    def __init__(self, limit: int = REFUSAL_LIMIT) -> None:
        self._limit = limit
        self._counts: Counter[str] = Counter()

    def record(self, event_id: str) -> bool:
        """Record a failure. Is it one too many?"""
        self._counts[event_id] += 1
        if self._counts[event_id] < self._limit:
            return False
        self.forget(event_id)
        return True

    def forget(self, event_id: str) -> None:
        """Forget an event that is done or dead."""
        self._counts.pop(event_id, None)


async def deliver(
    messages: Sequence[tuple[T, bytes]], handler: Handler, refusals: Refusals, retry_delay: float = 1.0
) -> Outcome[T]:
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
        for message, envelope in batch:
            refusals.forget(envelope.id)
            outcome.done.append(message)
        return outcome
    for message, envelope in batch:
        failure = await _attempt(handler, [envelope], retry_delay)
        if failure is None:
            refusals.forget(envelope.id)
            outcome.done.append(message)
        elif isinstance(failure, EventError | Unacceptable):
            outcome.dead.append((message, str(failure)))
        elif refusals.record(envelope.id):
            outcome.dead.append((message, f"its handler failed too often, last with {failure!r}"))
        else:
            log.error("event could not be handled", event_type=envelope.type, event_id=envelope.id, exc_info=failure)
            outcome.back.append(message)
    return outcome


async def deliver_letters(
    letters: Sequence[tuple[T, DeadLetter]], handler: LetterHandler, retry_delay: float = 1.0
) -> Outcome[T]:
    """Hand dead letters over until the handler has stored them: there is no place behind this one."""
    outcome: Outcome[T] = Outcome()
    delay, said = retry_delay, ""
    while not outcome.done:
        try:
            await handler([letter for _, letter in letters])
        except Exception as error:
            reason = str(error) or repr(error)
            if reason != said:
                log.warning("dead letters cannot be stored; trying again and again", reason=reason)
            said = reason
            await asyncio.sleep(delay)
            delay = min(delay * 2, 60.0)
        else:
            outcome.done.extend(message for message, _ in letters)
    return outcome


async def _attempt(handler: Handler, batch: Sequence[Envelope], retry_delay: float) -> Exception | None:
    delay, said = retry_delay, ""
    while True:
        try:
            await handler(batch)
        except Unavailable as error:
            if str(error) != said:  # once, and not with every try
                log.warning("waiting for a server; trying again and again", reason=str(error))
            said = str(error)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5.0)
        except Exception as error:
            return error
        else:
            return None
