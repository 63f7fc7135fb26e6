"""Telemetry of one allocation: log lines, training metrics and progress, gathered for a moment and sent together."""

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from etude.events import Event, Length, LogLine, LogWritten, TrainingPoint, TrainingReported, TrialProgressed
from etude.service.clock import Clock

_TAIL = 50
_TORCHRUN_FAILED = "ChildFailedError"
_EXCEPTION = re.compile(r"(\[\w+\]:)?[\w.]+(Error|Exception|Exit): \S")
_LONGEST_TOLD = 500  # characters of a line, where it is a reason
_FLUSH_SECONDS = 0.5
_MOST_LINES = 1000
_MOST_A_SECOND = 2**18  # characters
_LINE_COSTS = 64
_ONE_SECOND = timedelta(seconds=1)
_PROGRESS_EVERY = timedelta(seconds=5)


class Telemetry:
    """Gathers what a trial writes.

    Parameters
    ----------
    trial_id, lease_number, first_rank : of the allocation
    send : takes the events
    """

    def __init__(
        self, trial_id: int, lease_number: int, send: Callable[[Event], None], clock: Clock, first_rank: int = 0
    ) -> None:
        self._trial_id = trial_id
        self._lease_number = lease_number
        self._first_rank = first_rank
        self._send = send
        self._clock = clock
        self._lines: list[LogLine] = []
        self._points: list[TrainingPoint] = []
        self._progressed = clock()
        self._first = 0
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self._errors: deque[str] = deque(maxlen=_TAIL)
        self._second = datetime.min.replace(tzinfo=UTC)
        self._room = 0
        self._cut = 0
        self._flushing: asyncio.Task[None] | None = None

    @property
    def tail(self) -> list[str]:
        """The last lines."""
        return list(self._tail)

    @property
    def last_error(self) -> str:
        """What the processes wrote to stderr last, if it says anything; of torchrun, what its worker wrote."""
        lines = [line.strip() for line in self._errors if any(map(str.isalnum, line))]
        if any(_TORCHRUN_FAILED in line for line in lines):
            lines = [line for line in lines if _EXCEPTION.match(line)] or lines
        return lines[-1][-_LONGEST_TOLD:] if lines else ""

    def wrote(self, stream: str, text: str, rank: int = 0) -> None:
        """A process of the trial wrote a line; of too many in one second only the first are sent."""
        self._tail.append(text)
        if stream == "stderr":
            self._errors.append(text)
        if not self._may_write(len(text)):
            return
        self._lines.append(LogLine(time=self._clock(), stream=stream, text=text, rank=rank))
        if len(self._lines) >= _MOST_LINES:
            self.flush()
        self._flush_soon()

    def _may_write(self, size: int) -> bool:
        """Is there room for so many characters in this second? Tells how much was cut in those before."""
        now = self._clock()
        if now - self._second >= _ONE_SECOND:
            self._second, self._room = now, _MOST_A_SECOND
            if self._cut:
                text = f"... {self._cut} lines were cut: a trial may write {_MOST_A_SECOND >> 10} KiB a second"
                self._lines.append(LogLine(time=now, stream="stderr", text=text))
                self._cut = 0
        self._room -= size + _LINE_COSTS
        if self._room < 0:
            self._cut += 1
        return self._room >= 0

    def complain(self, text: str) -> None:
        """The runner has something to say in the trial's log."""
        self.wrote("stderr", text)

    def trained(self, length: Length, metrics: dict[str, float]) -> None:
        """The trial reported training metrics."""
        self._points.append(TrainingPoint(length=length, metrics=metrics, time=self._clock()))
        self._flush_soon()

    def flush(self) -> None:
        """Send what is gathered."""
        ids = {"trial_id": self._trial_id, "lease_number": self._lease_number}
        if self._points:
            self._send(TrainingReported(**ids, points=self._points))
            if (now := self._clock()) - self._progressed >= _PROGRESS_EVERY:
                self._send(TrialProgressed(**ids, length=self._points[-1].length))
                self._progressed = now
            self._points = []
        if self._lines:
            self._send(LogWritten(**ids, first_rank=self._first_rank, first=self._first, lines=self._lines))
            self._first += len(self._lines)
            self._lines = []

    async def close(self) -> None:
        """Send the rest."""
        if self._flushing is not None:
            self._flushing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._flushing
        if self._cut:
            self._second = datetime.min.replace(tzinfo=UTC)
            self._may_write(0)
        self.flush()

    def _flush_soon(self) -> None:
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush_later())

    async def _flush_later(self) -> None:
        await asyncio.sleep(_FLUSH_SECONDS)
        self.flush()
