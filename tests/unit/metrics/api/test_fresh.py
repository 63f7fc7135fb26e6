"""What many ask for at once is asked for once."""

import asyncio

import pytest

from etude_metrics.api.fresh import Fresh
from etude_metrics.api.pace import Pace


class Source:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self) -> int:
        self.asked += 1
        await asyncio.sleep(0)
        return self.asked


async def test_those_who_ask_at_the_same_time_ask_once() -> None:
    source, fresh = Source(), Fresh[int](Pace())
    assert await asyncio.gather(*(fresh.get("a", source.ask) for _ in range(5))) == [1] * 5
    assert await fresh.get("a", source.ask) == 2


async def test_what_is_new_enough_is_not_asked_for_again() -> None:
    now = [0.0]
    source, fresh = Source(), Fresh[int](Pace(known_seconds=0.2), clock=lambda: now[0])
    assert await fresh.get("a", source.ask) == 1
    assert await fresh.get("b", source.ask) == 2
    now[0] = 0.1
    assert await fresh.get("a", source.ask) == 1
    now[0] = 0.3
    assert await fresh.get("a", source.ask) == 3


async def test_a_failure_is_told_and_not_kept() -> None:
    fresh = Fresh[int](Pace(known_seconds=10.0))

    async def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await fresh.get("a", fail)
    assert await fresh.get("a", Source().ask) == 1


async def test_who_leaves_early_takes_nothing_from_the_others() -> None:
    source, fresh = Source(), Fresh[int](Pace())
    leaving = asyncio.create_task(fresh.get("a", source.ask))
    staying = asyncio.create_task(fresh.get("a", source.ask))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == 1


class Slow(Source):
    """Answers the second question and those after it when it is told to, or fails."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Event()
        self.fails = False

    async def ask(self) -> int:
        self.asked += 1
        count = self.asked
        if count > 1:
            await self.may.wait()
        if self.fails:
            raise ValueError("no")
        return count


async def test_who_has_no_patience_gets_what_is_there_while_it_is_asked_for_anew() -> None:
    now = [0.0]
    source, fresh = Slow(), Fresh[int](Pace(known_seconds=0.2, patience=0.01), clock=lambda: now[0])
    assert await fresh.get("a", source.ask) == 1
    now[0] = 0.3
    assert [await fresh.get("a", source.ask) for _ in range(3)] == [1, 1, 1]
    assert source.asked == 2
    source.may.set()
    assert await fresh.get("a", source.ask) == 2


async def test_what_is_too_old_is_waited_for_and_its_failure_told() -> None:
    now = [0.0]
    source, fresh = Slow(), Fresh[int](Pace(known_seconds=0.2, patience=0.01), clock=lambda: now[0])
    assert await fresh.get("a", source.ask) == 1
    now[0] = 5.0
    source.fails = True
    asking = asyncio.create_task(fresh.get("a", source.ask))
    await asyncio.sleep(0.05)
    assert not asking.done()
    source.may.set()
    with pytest.raises(ValueError, match="no"):
        await asking


async def test_who_is_eager_asks_anew(wants_the_newest: None) -> None:
    source, fresh = Source(), Fresh[int](Pace(known_seconds=10.0, patience=0.0))
    assert [await fresh.get("a", source.ask) for _ in range(2)] == [1, 2]
