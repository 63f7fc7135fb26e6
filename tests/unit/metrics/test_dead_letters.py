"""Dead letters: kept for people, replayed, dropped."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from etude.bus import DeadLetter, UnknownQueueError
from etude.store import SqliteStore
from etude_metrics.dead_letters import DeadLetters
from tests.unit.make import NOW, created, envelope

BODY = envelope(created()).to_bytes()


class Installation:
    """Dead letters of a store, and a broker with one queue."""

    def __init__(self) -> None:
        self.store = SqliteStore()
        self.now: datetime = NOW
        self.requeued: list[bytes] = []
        self.letters = DeadLetters(self.store, self.requeue, lambda: self.now)

    async def requeue(self, letter: DeadLetter) -> None:
        if letter.queue != "etude.searcher.1":
            raise UnknownQueueError(f"there is no queue {letter.queue}")
        self.requeued.append(letter.body)

    async def bury(self, *letters: DeadLetter) -> None:
        self.now += timedelta(seconds=1)
        await self.letters.keep(letters)

    async def listed(self) -> list[str]:
        return [letter["reason"] for letter in await self.letters.list()]


@pytest.fixture
async def installation() -> Installation:
    made = Installation()
    await made.store.open()
    return made


def letter(reason: str = "no", body: bytes = BODY, queue: str = "etude.searcher.1") -> DeadLetter:
    return DeadLetter(queue, body, reason)


async def test_the_latest_is_listed_first_with_what_can_be_read_of_it(installation: Installation) -> None:
    await installation.bury(letter("unreadable", b"\xff\x00"))
    await installation.bury(letter("refused"))
    first, second = await installation.letters.list()
    assert (first["reason"], first["type"], first["experiment_id"]) == ("refused", "etude.experiment.created.v1", "exp")
    assert (second["reason"], second["type"], second["body"]) == ("unreadable", None, {"base64": "/wA="})


@pytest.mark.parametrize("body", [b"[1, 2]", b'{"type": 3}', b"null", b""])
async def test_a_letter_may_hold_anything(installation: Installation, body: bytes) -> None:
    await installation.bury(letter(body=body))
    [kept] = await installation.letters.list()
    assert (kept["type"], kept["body"]) == (None, {"text": body.decode()})


async def test_the_same_event_is_one_letter_that_counts_its_deaths(installation: Installation) -> None:
    await installation.bury(letter("first"))
    await installation.bury(letter("second"))
    [kept] = await installation.letters.list()
    assert (kept["reason"], kept["deaths"]) == ("second", 2)


async def test_a_replayed_letter_is_in_its_queue_and_no_longer_listed(installation: Installation) -> None:
    await installation.bury(letter())
    await installation.letters.replay((await installation.letters.list())[0])
    assert installation.requeued == [BODY]
    assert await installation.listed() == []


async def test_a_letter_that_dies_while_it_is_replayed_is_listed_again(installation: Installation) -> None:
    await installation.bury(letter("before"))

    async def die_at_once(dead: DeadLetter) -> None:
        await installation.bury(letter("again"))

    replaying = DeadLetters(installation.store, die_at_once, lambda: installation.now)
    await replaying.replay((await replaying.list())[0])
    assert await installation.listed() == ["again"]


async def test_a_letter_whose_queue_is_gone_stays(installation: Installation) -> None:
    await installation.bury(letter(queue="etude.gone"))
    with pytest.raises(UnknownQueueError, match=r"etude\.gone"):
        await installation.letters.replay((await installation.letters.list())[0])
    assert await installation.listed() == ["no"]


async def test_a_dropped_letter_is_gone(installation: Installation) -> None:
    await installation.bury(letter())
    [kept] = await installation.letters.list()
    assert await installation.letters.drop(kept["_id"])
    assert not await installation.letters.drop(kept["_id"])
    assert await installation.listed() == []


def ids(letters: Sequence[DeadLetter]) -> set[str]:
    return {made.id for made in letters}


def test_letters_differ_by_body_and_queue_alone() -> None:
    assert len(ids([letter("one"), letter("two")])) == 1
    assert len(ids([letter(), letter(body=b"x"), letter(queue="etude.searcher.2")])) == 3
