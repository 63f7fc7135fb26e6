"""Dead letters over HTTP."""

import pytest

from etude.bus import DeadLetter
from etude.events import ExperimentResyncRequested
from etude_metrics.dead_letters import DeadLetters
from tests.unit.make import NOW, created, envelope
from tests.unit.metrics.api.asking import Api

LETTER = DeadLetter("etude.searcher.1", envelope(created()).to_bytes(), "no partition")


@pytest.fixture
async def letter_id(api: Api) -> str:
    """One that is kept."""

    async def nowhere(letter: DeadLetter) -> None: ...

    await DeadLetters(api.store, nowhere, lambda: NOW).keep([LETTER])
    return LETTER.id


async def test_they_are_listed_without_their_bodies_and_shown_with_them(api: Api, letter_id: str) -> None:
    [listed] = (await api.get("/dead-letters"))["items"]
    assert (listed["letter_id"], listed["reason"], "body" in listed) == (letter_id, "no partition", False)
    shown = await api.get(f"/dead-letters/{letter_id}")
    assert shown["body"]["text"].encode() == LETTER.body


async def test_one_that_is_not_there_is_named(api: Api) -> None:
    for answer in (
        await api.http.get("/api/v1/dead-letters/7"),
        await api.http.post("/api/v1/dead-letters/7/replay"),
        await api.http.delete("/api/v1/dead-letters/7"),
    ):
        assert answer.status_code == 404
        assert answer.json()["detail"].startswith("no dead letter 7; GET /api/v1/dead-letters lists")


async def test_without_a_broker_nothing_is_replayed_and_nothing_lost(api: Api, letter_id: str) -> None:
    answer = await api.http.post(f"/api/v1/dead-letters/{letter_id}/replay")
    assert (answer.status_code, answer.json()["detail"]) == (
        503,
        "nothing runs here that could take from etude.searcher.1",
    )
    assert len((await api.get("/dead-letters"))["items"]) == 1


async def test_one_is_dropped(api: Api, letter_id: str) -> None:
    assert (await api.http.delete(f"/api/v1/dead-letters/{letter_id}")).status_code == 204
    assert (await api.get("/dead-letters"))["items"] == []


async def test_a_resync_asks_the_searcher(api: Api) -> None:
    await api.tell(created())
    assert (await api.http.post("/api/v1/resync/exp")).status_code == 202
    assert [type(e.data) for e in api.published] == [ExperimentResyncRequested]
    assert (await api.http.post("/api/v1/resync/nothing")).status_code == 404
