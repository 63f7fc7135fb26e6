"""Reports arrive for sure and in order; telemetry if there is room."""

import asyncio
import errno
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path

from etude.events import Envelope
from etude_trial_runner.outbox import Outbox
from etude_trial_runner.spool import Spool
from tests.unit.make import envelope, validation


class Line:
    """A bus that can be cut."""

    def __init__(self) -> None:
        self.up = asyncio.Event()
        self.sent: list[int] = []

    async def publish(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        await self.up.wait()
        self.sent += [e.data.trial_id for e in envelopes]  # type: ignore[attr-defined]
        return []


def report(trial_id: int) -> Envelope:
    return envelope(validation(trial_id, 1))


async def test_reports_wait_for_the_line_and_go_in_order() -> None:
    line, spool = Line(), Spool()
    outbox = Outbox(line, spool)  # type: ignore[arg-type]
    outbox.start()
    for trial in (1, 2, 3):
        outbox.report(report(trial))
    assert not await outbox.flush(0.02)
    assert len(spool) == 3
    line.up.set()
    assert await outbox.flush(5)
    assert line.sent == [1, 2, 3]
    assert len(spool) == 0
    await outbox.close()


async def test_what_an_earlier_life_left_is_sent_first(tmp_path: Path) -> None:
    dead = Outbox(Line(), Spool(tmp_path / "spool.db"))  # type: ignore[arg-type]
    dead.report(report(1))
    line = Line()
    line.up.set()
    outbox = Outbox(line, Spool(tmp_path / "spool.db"))  # type: ignore[arg-type]
    outbox.report(report(2))
    outbox.start()
    assert await outbox.flush(5)
    assert line.sent == [1, 2]
    await outbox.close()


async def test_a_report_that_was_not_confirmed_is_sent_again() -> None:
    class Failing(Line):
        async def publish(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
            if not self.up.is_set():
                self.up.set()
                raise RuntimeError("a bug in a library")
            return await super().publish(envelopes)

    line = Failing()
    outbox = Outbox(line, Spool())  # type: ignore[arg-type]
    outbox.start()
    outbox.report(report(1))
    assert await outbox.flush(5)
    assert line.sent == [1]
    await outbox.close()


class FullDisk(Spool):
    """A spool on a disk that may be full."""

    full = True
    reads = True

    def put(self, envelope: Envelope) -> None:
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        super().put(envelope)

    def confirm(self, numbers: Collection[int], now: float) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().confirm(numbers, now)

    def peek(self, limit: int, skip: Collection[int] = ()) -> list[tuple[int, Envelope]]:
        if not self.reads:
            raise sqlite3.OperationalError("disk I/O error")
        return super().peek(limit, skip)


async def test_a_full_disk_stops_no_report_and_is_told_once(capsys) -> None:
    line, spool = Line(), FullDisk()
    line.up.set()
    outbox = Outbox(line, spool)  # type: ignore[arg-type]
    outbox.start()
    for trial in range(1, 30):
        outbox.report(report(trial))
        await asyncio.sleep(0)
    assert await outbox.flush(5)
    assert line.sent == list(range(1, 30))
    spool.full = False
    outbox.report(report(30))
    assert await outbox.flush(5)
    assert line.sent[-1] == 30
    told = capsys.readouterr().out
    assert told.count("the disk takes no reports") == 1
    assert told.count("the disk takes reports again") == 1
    await outbox.close()


async def test_what_a_full_disk_does_not_take_waits_in_memory_and_goes_in_order() -> None:
    line, spool = Line(), FullDisk()
    outbox = Outbox(line, spool)  # type: ignore[arg-type]
    spool.full = False
    outbox.report(report(1))
    spool.full = True
    outbox.report(report(2))
    spool.full = False
    outbox.report(report(3))
    assert len(spool) == 3
    outbox.start()
    line.up.set()
    assert await outbox.flush(5)
    assert line.sent == [1, 2, 3]
    await outbox.close()


async def test_what_was_sent_from_a_full_disk_is_not_sent_again() -> None:
    line, spool = Line(), FullDisk()
    spool.full = False
    outbox = Outbox(line, spool)  # type: ignore[arg-type]
    outbox.report(report(1))
    spool.full = True  # so that it cannot be removed
    line.up.set()
    outbox.start()
    assert await outbox.flush(5)
    outbox.report(report(2))
    assert await outbox.flush(5)
    assert line.sent == [1, 2]
    spool.full = False
    outbox.report(report(3))
    assert await outbox.flush(5)
    assert len(spool) == 0
    await outbox.close()


async def test_a_disk_that_cannot_be_read_is_tried_again(monkeypatch) -> None:
    monkeypatch.setattr("etude_trial_runner.disk_trouble._FIRST_PAUSE", 0.01)
    line, spool = Line(), FullDisk()
    spool.full = spool.reads = False
    line.up.set()
    outbox = Outbox(line, spool)  # type: ignore[arg-type]
    outbox.start()
    outbox.report(report(1))
    await asyncio.sleep(0.05)
    assert line.sent == []
    spool.reads = True
    async with asyncio.timeout(5):
        while not line.sent:
            await asyncio.sleep(0.01)
    await outbox.close()


async def test_a_cut_while_the_disk_is_full_loses_nothing() -> None:
    class Failing(Line):
        async def publish(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
            if not self.up.is_set():
                self.up.set()
                raise RuntimeError("a bug in a library")
            return await super().publish(envelopes)

    line = Failing()
    outbox = Outbox(line, FullDisk())  # type: ignore[arg-type]
    outbox.report(report(1))
    outbox.report(report(2))
    outbox.start()
    assert await outbox.flush(5)
    assert line.sent == [1, 2]
    await outbox.close()


async def test_telemetry_that_nobody_takes_is_dropped_from_its_beginning(monkeypatch) -> None:
    monkeypatch.setattr("etude_trial_runner.outbox._TELEMETRY_KEPT", 3)
    line = Line()
    outbox = Outbox(line, Spool())  # type: ignore[arg-type]
    for trial in range(1, 6):
        outbox.telemetry(report(trial))
    outbox.start()
    line.up.set()
    async with asyncio.timeout(5):
        while len(line.sent) < 3:
            await asyncio.sleep(0.002)
    assert line.sent == [3, 4, 5]
    await outbox.close()


async def test_what_was_confirmed_lately_is_repeated_when_the_connection_was_lost(monkeypatch) -> None:
    line = Line()
    line.up.set()
    outbox = Outbox(line, Spool())  # type: ignore[arg-type]
    outbox.start()
    for trial in (1, 2):
        outbox.report(report(trial))
    assert await outbox.flush(5)
    line.up.clear()
    outbox.repeat()
    outbox.report(report(3))
    line.up.set()
    assert await outbox.flush(5)
    assert line.sent == [1, 2, 1, 2, 3]
    monkeypatch.setattr("etude_trial_runner.outbox.KEPT_SECONDS", -1.0)
    outbox.repeat()
    assert await outbox.flush(5)
    assert line.sent == [1, 2, 1, 2, 3], "long ago"
    await outbox.close()


async def test_the_next_life_repeats_what_was_confirmed_last(tmp_path: Path) -> None:
    line = Line()
    line.up.set()
    first = Outbox(line, Spool(tmp_path / "spool.db"))  # type: ignore[arg-type]
    first.start()
    for trial in (1, 2):
        first.report(report(trial))
    assert await first.flush(5)
    await first.close()
    second = Outbox(line, Spool(tmp_path / "spool.db"))  # type: ignore[arg-type]
    second.report(report(3))
    second.start()
    assert await second.flush(5)
    assert line.sent == [1, 2, 1, 2, 3]
    await second.close()
