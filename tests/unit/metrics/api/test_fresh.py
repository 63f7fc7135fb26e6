"""What many ask for at once is asked for once."""

import asyncio

import pytest

from etude_metrics.api.fresh import Fresh


class Source:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self) -> int:
        self.asked += 1
        await asyncio.sleep(0)
        return self.asked


async def test_those_who_ask_at_the_same_time_ask_once() -> None:
    source, fresh = Source(), Fresh[int](seconds=0.0)
    assert await asyncio.gather(*(fresh.get("a", source.ask) for _ in range(5))) == [1] * 5
    assert await fresh.get("a", source.ask) == 2


async def test_what_is_new_enough_is_not_asked_for_again() -> None:
    now = [0.0]
    source, fresh = Source(), Fresh[int](seconds=0.2, clock=lambda: now[0])
    assert await fresh.get("a", source.ask) == 1
    assert await fresh.get("b", source.ask) == 2
    now[0] = 0.1
    assert await fresh.get("a", source.ask) == 1
    now[0] = 0.3
    assert await fresh.get("a", source.ask) == 3


async def test_a_failure_is_told_and_not_kept() -> None:
    fresh = Fresh[int](seconds=10.0)

    async def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await fresh.get("a", fail)
    assert await fresh.get("a", Source().ask) == 1


async def test_who_leaves_early_takes_nothing_from_the_others() -> None:
    source, fresh = Source(), Fresh[int](seconds=0.0)
    leaving = asyncio.create_task(fresh.get("a", source.ask))
    staying = asyncio.create_task(fresh.get("a", source.ask))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == 1
