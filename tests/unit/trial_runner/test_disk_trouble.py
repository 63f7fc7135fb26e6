"""Trouble with a disk is told once, and a trial that could not begin has not failed."""

import errno

import pytest

from etude_trial_runner.disk_trouble import DiskTrouble, until_begun

FULL = OSError(errno.ENOSPC, "No space left on device")


def fail(trouble: DiskTrouble) -> None:
    with trouble.noted():
        raise FULL


def work(trouble: DiskTrouble) -> None:
    with trouble.noted():
        pass


def test_it_is_told_when_it_changes(capsys) -> None:
    trouble = DiskTrouble("it fails", "it works")
    for _ in range(5):
        fail(trouble)
    assert trouble.retry_after == 0.5
    assert trouble.retry_after == 1.0
    work(trouble)
    work(trouble)
    assert trouble.retry_after is None
    told = capsys.readouterr().out
    assert (told.count("it fails"), told.count("it works")) == (1, 1)


def test_what_comes_and_goes_is_told_once_a_minute(capsys) -> None:
    now = 100.0
    trouble = DiskTrouble("it fails", "it works", lambda: now)
    for _ in range(5):
        fail(trouble)
        work(trouble)
    now += 61
    fail(trouble)
    assert capsys.readouterr().out.count("it fails") == 2


class Start:
    """Something that begins once there is space."""

    def __init__(self, tries: int) -> None:
        self.tries = tries
        self.told: list[str] = []
        self.wanted = True

    async def begin(self) -> None:
        self.tries -= 1
        if self.tries:
            raise FULL

    async def until_begun(self) -> None:
        await until_begun(self.begin, lambda: self.wanted, self.told.append)


async def test_what_finds_no_space_begins_later(monkeypatch) -> None:
    monkeypatch.setattr("etude.artifacts.disk._FIRST_PAUSE", 0.001)
    start = Start(4)
    await start.until_begun()
    assert start.tries == 0
    assert start.told == ["[Errno 28] No space left on device"]


async def test_what_is_not_wanted_any_more_does_not_begin(monkeypatch) -> None:
    monkeypatch.setattr("etude.artifacts.disk._FIRST_PAUSE", 0.001)
    start = Start(10)
    start.told = type("Told", (list,), {"append": lambda told, _: setattr(start, "wanted", False)})()
    await start.until_begun()
    assert start.tries == 9


async def test_what_stays_without_space_fails(monkeypatch) -> None:
    monkeypatch.setattr("etude_trial_runner.disk_trouble.pauses", lambda: [0.0, 0.0])
    with pytest.raises(OSError, match="No space left"):
        await Start(10).until_begun()
