"""Log lines and training metrics are gathered for a moment and sent together."""

import asyncio
from datetime import timedelta

from etude.events import Event, Length, LogWritten, TrainingReported, TrialProgressed
from etude_trial_runner import telemetry
from etude_trial_runner.telemetry import Telemetry
from tests.unit.make import NOW


def gather() -> tuple[Telemetry, list[Event]]:
    sent: list[Event] = []
    return Telemetry(1, 2, sent.append, lambda: NOW), sent


async def test_what_comes_within_a_moment_goes_together(monkeypatch) -> None:
    monkeypatch.setattr(telemetry, "_FLUSH_SECONDS", 0.01)
    made, sent = gather()
    for number in range(3):
        made.wrote("stdout", f"line {number}")
        made.trained(Length.batches(number), {"loss": 1.0})
    assert sent == []
    await asyncio.sleep(0.05)
    points, lines = sent
    assert isinstance(points, TrainingReported)
    assert isinstance(lines, LogWritten)
    assert (len(points.points), len(lines.lines), lines.first) == (3, 3, 0)
    made.wrote("stderr", "later")
    await made.close()
    assert isinstance(sent[-1], LogWritten)
    assert sent[-1].first == 3


async def test_many_lines_do_not_wait(monkeypatch) -> None:
    monkeypatch.setattr(telemetry, "_MOST_LINES", 5)
    made, sent = gather()
    for number in range(12):
        made.wrote("stdout", f"line {number}")
    assert [event.first for event in sent if isinstance(event, LogWritten)] == [0, 5]
    await made.close()
    assert sum(len(event.lines) for event in sent if isinstance(event, LogWritten)) == 12


async def test_the_tail_holds_the_last_lines() -> None:
    made, _ = gather()
    for number in range(100):
        made.wrote("stdout", str(number))
    assert made.tail == [str(number) for number in range(50, 100)]
    await made.close()


async def test_nothing_said_is_nothing_sent() -> None:
    made, sent = gather()
    await made.close()
    assert sent == []


async def test_of_too_much_in_a_second_the_rest_is_cut_and_counted(monkeypatch) -> None:
    monkeypatch.setattr(telemetry, "_MOST_A_SECOND", 2048)
    made, sent = gather()
    for number in range(100):
        made.wrote("stdout", f"{number:0100d}")
    await made.close()
    lines = [line.text for event in sent if isinstance(event, LogWritten) for line in event.lines]
    assert len(lines) == 13
    assert lines[-1] == "... 88 lines were cut: a trial may write 2 KiB a second"
    assert made.tail[-1] == f"{99:0100d}", "the last lines are known nevertheless"


async def test_how_far_a_trial_has_come_is_told_every_few_seconds() -> None:
    sent: list[Event] = []
    now = NOW
    made = Telemetry(1, 2, sent.append, lambda: now)
    for second in range(1, 14):
        now += timedelta(seconds=1)
        made.trained(Length.batches(10 * second), {"loss": 1.0})
        made.flush()
    progress = [event for event in sent if isinstance(event, TrialProgressed)]
    assert [(event.lease_number, event.length.amount) for event in progress] == [(2, 50), (2, 100)]
    await made.close()
