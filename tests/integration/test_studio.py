"""The process that draws: it starts when it is needed, survives bad luck, and leaves when nobody asks."""

import asyncio
import gzip
import json
import os
import signal
from collections.abc import AsyncIterator

import pytest

from etude.errors import Unavailable
from etude.store.mongo import MongoStore
from etude_metrics.drawing import Studio, Work
from etude_metrics.handlers import MetricsHandlers
from tests.servers.mongod import Mongod
from tests.unit.make import created, envelope, validation
from tests.unit.metrics.api.asking import requested


@pytest.fixture
async def studio(mongod: Mongod, database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Studio]:
    """A studio, of a database with one experiment of two trials."""
    monkeypatch.setenv("ETUDE_MONGO_URL", mongod.url)
    monkeypatch.setenv("ETUDE_DATABASE", database)
    store = MongoStore(mongod.url, database)
    await store.open()
    events = [created(), requested(1), requested(2), validation(1, 100, loss=0.5), validation(2, 100, loss=0.4)]
    await MetricsHandlers(store).handle_events([envelope(event) for event in events])
    await store.close()
    made = Studio(idle_seconds=0.5)
    yield made
    await made.close()


def pid(studio: Studio) -> int:
    assert studio._process is not None
    return studio._process.pid


def is_there(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


async def test_figures_and_lists_are_made_by_another_process(studio: Studio) -> None:
    figures = await asyncio.gather(
        *(studio.make("exp", name) for name in ("best", "curves", Work.RUNGS, Work.IMPORTANCES))
    )
    best, curves, rungs, importances = (json.loads(gzip.decompress(packed)) for packed in figures)
    assert len(best["data"][0]["y"]) == 2
    assert {"data", "layout"} <= set(curves)
    assert rungs == {"items": [], "next_cursor": None}
    assert [item["name"] for item in importances["items"]] == []  # both trials drew the same
    assert pid(studio) != os.getpid()


async def test_when_the_process_dies_the_next_question_starts_another(studio: Studio) -> None:
    await studio.make("exp", "best")
    first = pid(studio)
    os.kill(first, signal.SIGSTOP)
    asking = asyncio.create_task(studio.make("exp", "curves"))
    await asyncio.sleep(0.1)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(Unavailable, match="curves of exp"):
        await asking
    assert await studio.make("exp", "best")
    assert pid(studio) != first


async def test_what_cannot_be_drawn_is_told_and_harms_nothing(studio: Studio) -> None:
    with pytest.raises(Unavailable, match="pie of exp cannot be drawn"):
        await studio.make("exp", "pie")
    assert await studio.make("exp", "best")


async def test_an_idle_process_leaves(studio: Studio) -> None:
    await studio.make("exp", "best")
    first = pid(studio)
    for _ in range(100):
        await asyncio.sleep(0.1)
        if not is_there(first):
            break
    assert not is_there(first)
    assert await studio.make("exp", "best")
