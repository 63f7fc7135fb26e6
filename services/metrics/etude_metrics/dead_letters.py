"""Dead letters as documents: what could not be processed, for people to look at, replay and drop."""

import base64
import json
from collections.abc import Awaitable, Callable, Sequence

import structlog

from etude.bus import DeadLetter
from etude.service.clock import Clock
from etude.store import Document, DocumentStore
from etude.store.schema import DEAD_LETTERS

log = structlog.get_logger("etude.metrics")


Requeue = Callable[[DeadLetter], Awaitable[None]]
"""Puts a letter back into its queue."""


class DeadLetters:
    """The dead letters of an installation."""

    def __init__(self, store: DocumentStore, requeue: Requeue, clock: Clock) -> None:
        self._store, self._requeue, self._clock = store, requeue, clock

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Store letters; the same event from the same queue is one document, with how often it died."""
        now = self._clock().isoformat()
        known = {d["_id"]: d for d in await self._store.get(DEAD_LETTERS, [letter.id for letter in letters])}
        for letter in letters:
            before = known.get(letter.id)
            known[letter.id] = letter_document(letter, now, deaths=before["deaths"] + 1 if before else 1)
            log.error("a dead letter", id=letter.id, queue=letter.queue, reason=letter.reason)
        await self._store.put(DEAD_LETTERS, list(known.values()))

    async def list(self, limit: int | None = None) -> list[Document]:
        """All letters that nobody has replayed or dropped, the latest first."""
        return await self._store.find(DEAD_LETTERS, {"replayed_at": None}, ("-at",), limit)

    async def find(self, letter_id: str) -> Document | None:
        """One letter."""
        found = await self._store.get(DEAD_LETTERS, [letter_id])
        return found[0] if found else None

    async def replay(self, document: Document) -> None:
        """Put a letter back into its queue. If it dies again it is listed again.

        Raises
        ------
        UnknownQueueError
            Its queue is gone; the letter stays.
        Unavailable
            The broker does not answer.
        """
        replayed_at = self._clock().isoformat()
        await self._store.put(DEAD_LETTERS, [{**document, "replayed_at": replayed_at}])
        try:
            await self._requeue(DeadLetter(document["queue"], body_of(document), document["reason"]))
        except BaseException:
            await self._store.put(DEAD_LETTERS, [document])
            raise
        await self._store.delete(DEAD_LETTERS, {"_id": document["_id"], "replayed_at": replayed_at})

    async def drop(self, letter_id: str) -> bool:
        """Forget a letter; False if there is none of this id."""
        return await self._store.delete(DEAD_LETTERS, {"_id": letter_id}) > 0


def letter_document(letter: DeadLetter, at: str, deaths: int) -> Document:
    """A letter as it is stored. What is text is stored as such, anything else in base64."""
    event = _read_event(letter.body)
    try:
        body: dict[str, str] = {"text": letter.body.decode()}
    except UnicodeDecodeError:
        body = {"base64": base64.b64encode(letter.body).decode()}
    return {
        "_id": letter.id,
        "queue": letter.queue,
        "reason": letter.reason,
        "type": event.get("type"),
        "experiment_id": event.get("experimentid"),
        "source": event.get("source"),
        "at": at,
        "deaths": deaths,
        "replayed_at": None,
        "body": body,
    }


def body_of(document: Document) -> bytes:
    """The bytes of the message."""
    body = document["body"]
    return body["text"].encode() if "text" in body else base64.b64decode(body["base64"])


def _read_event(body: bytes) -> dict[str, str | None]:
    """What can be read of an event that may be none."""
    try:
        read = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(read, dict):
        return {}
    return {name: value for name, value in read.items() if isinstance(value, str)}
