"""A trial that takes too much, or says nothing for too long."""

import asyncio
import os

from etude_trial_runner import watch
from etude_trial_runner.watch import Watch, private_memory

NOBODY = 2**22 + 1


class Looks:
    """The processes of a trial, of which there are none, and how often they were looked at."""

    def __init__(self, enough: int) -> None:
        self._left = enough
        self._enough = asyncio.Event()

    def __call__(self) -> list[int]:
        self._left -= 1
        if self._left == 0:
            self._enough.set()
        return [NOBODY]

    async def enough(self) -> None:
        """Wait until they were looked at often enough."""
        await asyncio.wait_for(self._enough.wait(), PATIENCE)


PATIENCE = 60  # seconds


async def told(memory: int | None = None, silence: float | None = None) -> str:
    """What a watch on this very process says."""
    heard: list[str] = []
    made = Watch(lambda: [os.getpid()], memory, silence, heard.append)
    await asyncio.wait_for(made.keep(), PATIENCE)
    [only] = heard
    return only


async def test_who_holds_more_memory_than_it_may_is_told_how_much() -> None:
    assert (await told(memory=2**20)).endswith("environment.memory_limit is 1 MiB")


async def test_who_says_nothing_for_too_long_hangs(monkeypatch) -> None:
    monkeypatch.setattr(watch, "_INTERVAL_SECONDS", 0.01)
    reason = await told(silence=0.05)
    assert reason.startswith("no report for 0 s, and environment.report_timeout is 0.05 s")


async def test_who_waits_for_a_decision_may_be_silent(monkeypatch) -> None:
    monkeypatch.setattr(watch, "_INTERVAL_SECONDS", 0.01)
    heard: list[str] = []
    looks = Looks(4)
    made = Watch(looks, 2**50, 0.0, heard.append)
    made.rest()
    task = asyncio.create_task(made.keep())
    await looks.enough()
    assert heard == []
    made.heard()
    await asyncio.wait_for(task, PATIENCE)
    assert len(heard) == 1


async def test_within_its_limits_nothing_is_said(monkeypatch) -> None:
    monkeypatch.setattr(watch, "_INTERVAL_SECONDS", 0.01)
    heard: list[str] = []
    looks = Looks(4)
    task = asyncio.create_task(Watch(looks, 2**50, 1000, heard.append).keep())
    await looks.enough()
    task.cancel()
    assert heard == []


async def test_without_limits_nobody_looks() -> None:
    await asyncio.wait_for(Watch(list, None, None, lambda reason: None).keep(), PATIENCE)


def test_a_process_that_is_gone_holds_nothing() -> None:
    assert private_memory([NOBODY]) == 0
