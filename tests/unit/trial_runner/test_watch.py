"""A trial that takes too much, or says nothing for too long."""

import asyncio
import os

from etude_trial_runner import watch
from etude_trial_runner.watch import Watch, private_memory

NOBODY = 2**22 + 1


async def kept(memory: int | None = None, silence: float | None = None) -> list[str]:
    """What a watch on this very process says within a moment."""
    told: list[str] = []
    made = Watch(lambda: [os.getpid()], memory, silence, told.append)
    with_limit = asyncio.create_task(made.keep())
    await asyncio.wait([with_limit], timeout=0.3)
    with_limit.cancel()
    return told


async def test_who_holds_more_memory_than_it_may_is_told_how_much() -> None:
    [told] = await kept(memory=2**20)
    assert told.endswith("environment.memory_limit is 1 MiB")


async def test_who_says_nothing_for_too_long_hangs(monkeypatch) -> None:
    monkeypatch.setattr(watch, "_INTERVAL_SECONDS", 0.01)
    [told] = await kept(silence=0.05)
    assert told.startswith("no report for 0 s, and environment.report_timeout is 0.05 s")


async def test_who_waits_for_a_decision_may_be_silent(monkeypatch) -> None:
    monkeypatch.setattr(watch, "_INTERVAL_SECONDS", 0.01)
    told: list[str] = []
    made = Watch(lambda: [NOBODY], None, 0.05, told.append)
    made.rest()
    task = asyncio.create_task(made.keep())
    await asyncio.sleep(0.15)
    assert told == []
    made.heard()
    await asyncio.wait_for(task, 5)
    assert len(told) == 1


async def test_within_its_limits_nothing_is_said() -> None:
    assert await kept(memory=2**50, silence=1000) == []
    assert await kept() == []


def test_a_process_that_is_gone_holds_nothing() -> None:
    assert private_memory([NOBODY]) == 0
