"""Waiting for servers, and work that is done every so often."""

import asyncio
import contextlib

import pytest

from etude.errors import Unavailable
from etude.service.runtime import every, until_available
from etude.service.settings import Settings


async def fast(seconds: float) -> None:
    """A sleep that does not."""
    await _sleep(0)


_sleep = asyncio.sleep


async def test_periodic_work_goes_on_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etude.service.runtime.asyncio.sleep", fast)
    done = asyncio.Event()
    failures: list[Exception] = [Unavailable("away"), RuntimeError("a bug")]

    async def work() -> None:
        if failures:
            raise failures.pop()
        done.set()

    task = asyncio.create_task(every(10, work, first_after=0))
    await asyncio.wait_for(done.wait(), 5)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_server_is_waited_for_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = 0

    async def attempt() -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 2:
            raise Unavailable("no")

    assert await until_available("a server", attempt, asyncio.Event())
    assert attempts == 2


async def test_waiting_ends_when_it_is_told_to() -> None:
    stop = asyncio.Event()

    async def attempt() -> None:
        stop.set()
        raise Unavailable("no")

    assert not await asyncio.wait_for(until_available("a server", attempt, stop), 5)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETUDE_AMQP_URL", "amqp://host/")
    monkeypatch.setenv("ETUDE_POOL", "gpus")
    assert (Settings().amqp_url, Settings().pool) == ("amqp://host/", "gpus")


def test_a_setting_that_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETUDE_LOG_LEVEL", "LOUD")
    with pytest.raises(ValueError, match="log_level"):
        Settings()
