"""Waiting for servers, and work that is done every so often."""

import asyncio
import contextlib
import os
import subprocess
import sys

import pytest

from etude.errors import Failure, Unavailable
from etude.service.runtime import every, until_available
from etude.service.settings import Settings, from_environment
from etude_trial_runner.preload import PreloadSettings


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
    monkeypatch.setenv("ETUDE_REPAIR_SECONDS", "soon")
    with pytest.raises(Failure, match=r"ETUDE_LOG_LEVEL: .*; ETUDE_REPAIR_SECONDS: .*number"):
        from_environment(Settings)


def test_a_list_that_is_no_json_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETUDE_PRELOAD", "torch")
    with pytest.raises(Failure, match=r'"preload".*ETUDE_PRELOAD=\["torch"\]'):
        from_environment(PreloadSettings)


@pytest.mark.parametrize(
    ("service", "name", "value", "said"),
    [
        ("searcher", "ETUDE_LOG_LEVEL", "LOUD", "ETUDE_LOG_LEVEL: "),
        ("searcher", "ETUDE_AMQP_URL", "garbage", "ETUDE_AMQP_URL "),
        ("searcher", "ETUDE_MONGO_URL", "mongodb://host:port/", "ETUDE_MONGO_URL "),
        ("searcher", "ETUDE_DATABASE", "a b", "ETUDE_DATABASE "),
        ("scheduler", "ETUDE_POLICY", "luck", "no scheduling policy 'luck' is installed; there are: fair_share"),
        ("metrics", "ETUDE_API_HOST", "192.0.2.1", "192.0.2.1:8080 (ETUDE_API_HOST, ETUDE_API_PORT)"),
        ("trial_runner", "ETUDE_WORK", "/proc/nowhere", "ETUDE_WORK names another folder"),
    ],
)
def test_a_service_that_cannot_begin_says_why_in_one_line(service: str, name: str, value: str, said: str) -> None:
    command = [sys.executable, "-m", f"etude_{service}"]
    ended = subprocess.run(command, env={**os.environ, name: value}, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
