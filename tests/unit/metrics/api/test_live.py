"""What changed, as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from etude.events import ExperimentDeleted
from etude_metrics.api import live
from tests.unit.make import created, raw_config, validation
from tests.unit.metrics.api.asking import Api, requested


class Stream:
    """A stream that is read event by event, as a browser reads it."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self.last_id: str | None = None

    async def next(self) -> tuple[str, Any]:
        """The next event and its data."""
        chunk = (await asyncio.wait_for(anext(self._chunks), 5)).decode()
        assert chunk.endswith("\n\n")
        fields = dict(line.split(": ", 1) for line in chunk.splitlines() if line)
        self.last_id = fields.get("id", self.last_id)
        return fields["event"], json.loads(fields["data"])


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_LOOK_SECONDS", 0.01)


def of_one(api: Api, version: int = 0) -> Stream:
    return Stream(live._one(api.store, api.known, "exp", version))


async def test_an_experiment_is_told_as_it_is_and_then_as_it_changes(api: Api) -> None:
    await api.tell(created(), requested(1))
    stream = of_one(api)
    name, trials = await stream.next()
    assert (name, [trial["trial_id"] for trial in trials]) == ("trials", [1])
    name, experiment = await stream.next()
    assert (name, experiment["experiment_id"]) == ("experiment", "exp")
    await api.tell(requested(2), validation(1, 100, loss=0.5))
    name, trials = await stream.next()
    assert [(trial["trial_id"], trial["length"]) for trial in trials] == [(1, 100), (2, None)]


async def test_who_comes_back_hears_what_was_missed_and_no_more(api: Api) -> None:
    await api.tell(created(), requested(1))
    stream = of_one(api)
    await stream.next()
    await stream.next()
    assert stream.last_id is not None
    await api.tell(requested(2))
    name, trials = await of_one(api, int(stream.last_id)).next()
    assert (name, [trial["trial_id"] for trial in trials]) == ("trials", [2])


async def test_all_experiments_are_told_of_each_change_once(api: Api) -> None:
    await api.tell(created(raw_config(name="one")), experiment_id="one")
    stream = Stream(live._experiments(api.queries, 0))
    assert (await stream.next())[1]["name"] == "one"
    await api.tell(created(raw_config(name="two")), experiment_id="two")
    assert (await stream.next())[1]["name"] == "two"
    await api.tell(requested(1), experiment_id="one")
    assert (await stream.next())[1]["name"] == "one"


async def test_a_stream_that_has_nothing_to_tell_says_that_it_lives(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_ALIVE_SECONDS", 0.05)
    chunks = live._experiments(api.queries, 0)
    assert await asyncio.wait_for(anext(chunks), 5) == b": alive\n\n"


async def test_there_is_no_stream_of_an_experiment_that_does_not_exist(api: Api) -> None:
    assert (await api.get("/experiments/nothing/events", 404))["detail"].startswith("no experiment nothing")


async def test_the_last_thing_to_hear_of_an_experiment_is_that_it_was_deleted(api: Api) -> None:
    await api.tell(created())
    stream = of_one(api)
    await stream.next()
    await api.tell(ExperimentDeleted(revision=9))
    assert await stream.next() == ("deleted", {"experiment_id": "exp"})
    with pytest.raises(StopAsyncIteration):
        await stream.next()


async def test_lists_are_told_that_one_was_deleted(api: Api) -> None:
    await api.tell(created())
    stream = Stream(live._experiments(api.queries, 0))
    await stream.next()
    await api.tell(ExperimentDeleted(revision=9))
    name, experiment = await stream.next()
    assert (name, experiment["experiment_id"], experiment["state"]) == ("experiment", "exp", "deleted")
    assert (await api.get("/experiments"))["items"] == []
    await api.get("/experiments/exp", 404)
