"""What takes long to make is kept."""

import asyncio

import pytest

from etude_metrics.api.answers import Body
from etude_metrics.api.cache import Cache


class Kitchen:
    """Makes something in so many seconds of its own clock, and counts how often."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.made = 0
        self.now = 0.0
        self._seconds = seconds

    def clock(self) -> float:
        return self.now

    async def make(self) -> Body:
        self.made += 1
        await asyncio.sleep(0)
        self.now += self._seconds
        return Body.of(str(self.made).encode())


async def text(cache: Cache, key: str, version: int, kitchen: Kitchen) -> str:
    return (await cache.get(key, version, kitchen.make)).data.decode()


async def test_what_was_made_is_made_again_for_another_version_alone() -> None:
    kitchen = Kitchen()
    cache = Cache(rest=10, clock=kitchen.clock)
    assert [await text(cache, "a", version, kitchen) for version in (1, 1, 2)] == ["1", "1", "2"]
    assert await text(cache, "b", 1, kitchen) == "3"


async def test_those_who_ask_at_the_same_time_get_the_same() -> None:
    cache, kitchen = Cache(rest=10), Kitchen()
    assert await asyncio.gather(*(text(cache, "a", 1, kitchen) for _ in range(5))) == ["1"] * 5


async def test_what_took_long_is_not_made_again_at_once() -> None:
    kitchen = Kitchen(seconds=0.5)
    cache = Cache(rest=10, clock=kitchen.clock)
    assert [await text(cache, "a", version, kitchen) for version in (1, 2)] == ["1", "1"]
    kitchen.now += 5.0
    assert await text(cache, "a", 2, kitchen) == "2"


async def test_what_took_very_long_once_does_not_stay_old_for_minutes() -> None:
    kitchen = Kitchen(seconds=60.0)
    cache = Cache(rest=20, clock=kitchen.clock)
    assert [await text(cache, "a", version, kitchen) for version in (1, 2)] == ["1", "1"]
    kitchen.now += 10.0
    assert await text(cache, "a", 2, kitchen) == "2"


async def test_a_failure_is_told_to_all_and_not_kept() -> None:
    cache = Cache(rest=10)

    async def fail() -> Body:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await cache.get("a", 1, fail)
    assert await text(cache, "a", 1, Kitchen()) == "1"


async def test_what_was_not_asked_for_longest_goes_first() -> None:
    cache, kitchen = Cache(rest=10, budget=2), Kitchen()
    for key in ("a", "b", "a", "c"):
        await cache.get(key, 1, kitchen.make)
    assert kitchen.made == 3
    await cache.get("a", 1, kitchen.make)
    assert kitchen.made == 3
    await cache.get("b", 1, kitchen.make)
    assert kitchen.made == 4


async def test_while_a_newer_one_takes_long_the_older_one_is_given_and_said_to_be_old() -> None:
    cache, kitchen = Cache(rest=0, patience=0.01), Kitchen()
    first = await cache.get("a", 1, kitchen.make)
    ready = asyncio.Event()

    async def slowly() -> Body:
        await ready.wait()
        return Body.of(b"new")

    old = await cache.get("a", 2, slowly)
    assert (old.data, old.old, first.old) == (b"1", True, False)
    ready.set()
    await asyncio.sleep(0.01)
    assert (await cache.get("a", 2, slowly)) == Body.of(b"new")


async def test_a_newer_one_that_is_soon_there_is_waited_for() -> None:
    cache, kitchen = Cache(rest=0, patience=10.0), Kitchen()
    await cache.get("a", 1, kitchen.make)
    assert await text(cache, "a", 2, kitchen) == "2"


async def test_who_joins_while_an_older_version_is_made_is_told_that_it_is_old() -> None:
    cache, kitchen = Cache(rest=0), Kitchen()
    first, second = await asyncio.gather(*(cache.get("a", version, kitchen.make) for version in (1, 2)))
    assert (first.old, second.old, second.data) == (False, True, b"1")
    assert await text(cache, "a", 2, kitchen) == "2"


async def test_who_is_eager_gets_nothing_old(wants_the_newest: None) -> None:
    kitchen = Kitchen(seconds=2.0)
    cache = Cache(rest=10, patience=0.0, clock=kitchen.clock)
    assert [await text(cache, "a", version, kitchen) for version in (1, 2, 2)] == ["1", "2", "2"]
    first = asyncio.create_task(cache.get("a", 3, kitchen.make))
    await asyncio.sleep(0)
    later = await cache.get("a", 4, kitchen.make)
    assert (later.data, later.old) == (b"4", False), "another has been begun for an older version"
    assert (await first).data == b"3"
