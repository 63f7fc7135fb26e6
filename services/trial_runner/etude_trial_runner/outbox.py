"""Outbox: sends reports, again and again until they are confirmed, and telemetry as long as there is room."""

import asyncio
import contextlib
import time
from collections import deque

import structlog

from etude.bus import EventBus
from etude.events import Envelope
from etude.service.runtime import every
from etude_trial_runner.disk_trouble import DiskTrouble
from etude_trial_runner.spool import KEPT_SECONDS, Spool

log = structlog.get_logger("etude.runner")

_BATCH = 256
_TELEMETRY_KEPT = 10_000
_RECENT = 2_000
_PAUSE_SECONDS = 1.0  # after an error that nobody thought of


class Outbox:
    """Two ways out: spooled reports in order, and telemetry that may be dropped if the broker stays away.

    What was confirmed lately is repeated when the broker may have lost it, after each loss of the connection and at the
    start of a life: one that comes back empty has confirmed reports that nobody got. Who got them takes no notice.

    Parameters
    ----------
    bus : where to
    spool : where reports wait
    """

    def __init__(self, bus: EventBus, spool: Spool) -> None:
        self._bus = bus
        self._spool = spool
        self._unspooled: deque[Envelope] = deque()
        self._confirmed: set[int] = set()  # and still in the spool
        self._writing = DiskTrouble(
            "the disk takes no reports; they wait in memory, and are tried again", "the disk takes reports again"
        )
        self._reading = DiskTrouble("the reports on disk cannot be read, and are tried again", "reports are read again")
        self._recent: deque[tuple[float, Envelope]] = deque(maxlen=_RECENT)
        self._again: list[Envelope] = []
        self._telemetry: deque[Envelope] = deque(maxlen=_TELEMETRY_KEPT)
        self._wake_reports = asyncio.Event()
        self._wake_telemetry = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._idle = asyncio.Event()

    def start(self) -> None:
        """Begin to send, first of all what an earlier life of this runner left, and what it said last."""
        with self._reading.noted():
            self._again = self._spool.confirmed(_RECENT)
        self._wake_reports.set()
        sending = (self._send_reports, self._send_telemetry)
        self._tasks = [asyncio.create_task(every(_PAUSE_SECONDS, send, first_after=0.0)) for send in sending]

    def report(self, envelope: Envelope) -> None:
        """Send for sure. What the disk does not take waits in memory; nothing is raised."""
        self._unspooled.append(envelope)
        self._reconcile()
        self._idle.clear()
        self._wake_reports.set()

    def repeat(self) -> None:
        """Send again what was confirmed lately: the connection was lost, and perhaps more than that."""
        since = asyncio.get_running_loop().time() - KEPT_SECONDS
        self._again = [envelope for confirmed, envelope in self._recent if confirmed >= since]
        self._recent.clear()
        if self._again:
            self._idle.clear()
            self._wake_reports.set()

    def telemetry(self, envelope: Envelope) -> None:
        """Send if possible."""
        self._telemetry.append(envelope)
        self._wake_telemetry.set()

    async def flush(self, timeout: float) -> bool:
        """Wait until all reports are confirmed; False if that takes too long."""
        try:
            await asyncio.wait_for(self._idle.wait(), timeout)
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Stop sending; what is spooled waits for the runner's next life."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._reconcile()
        if self._unspooled:
            log.error("reports are lost with this process; the disk did not take them", count=len(self._unspooled))

    async def _send_reports(self) -> None:
        while True:
            self._reconcile()
            waiting = self._peek()
            if self._again:
                again = self._again[:_BATCH]
                await self._publish(again)
                self._again = [envelope for envelope in self._again if envelope not in again]
            elif waiting:
                await self._publish([envelope for _, envelope in waiting])
                self._confirmed.update(number for number, _ in waiting)
            elif self._unspooled:
                await self._send_unspooled()
            else:
                self._idle.set()
                self._wake_reports.clear()
                pause = self._reading.retry_after or (self._writing.retry_after if self._confirmed else None)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake_reports.wait(), pause)

    async def _send_unspooled(self) -> None:
        """Send what the disk did not take; the spool is empty, so that these are the oldest."""
        batch = [self._unspooled.popleft() for _ in range(min(_BATCH, len(self._unspooled)))]
        try:
            await self._publish(batch)
        except BaseException:
            self._unspooled.extendleft(reversed(batch))
            raise

    async def _publish(self, batch: list[Envelope]) -> None:
        await self._bus.publish(batch)
        now = asyncio.get_running_loop().time()
        self._recent.extend((now, envelope) for envelope in batch)

    def _reconcile(self) -> None:
        """Bring to disk what is only in memory, unless the disk is full or ill: then all stays in memory."""
        if not self._confirmed and not self._unspooled:
            return
        with self._writing.noted():
            if self._confirmed:
                self._spool.confirm(self._confirmed, time.time())
                self._confirmed.clear()
            while self._unspooled:
                self._spool.put(self._unspooled[0])
                self._unspooled.popleft()

    def _peek(self) -> list[tuple[int, Envelope]]:
        with self._reading.noted():
            return self._spool.peek(_BATCH, self._confirmed)
        return []

    async def _send_telemetry(self) -> None:
        while True:
            await self._wake_telemetry.wait()
            self._wake_telemetry.clear()
            while self._telemetry:
                batch = [self._telemetry.popleft() for _ in range(min(_BATCH, len(self._telemetry)))]
                await self._bus.publish(batch)
