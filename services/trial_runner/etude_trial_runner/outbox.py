"""Outbox: sends reports, again and again until they are confirmed, and telemetry as long as there is room."""

import asyncio
from collections import deque

import structlog

from etude.bus import EventBus
from etude.events import Envelope
from etude.service.runtime import every
from etude_trial_runner.spool import Spool

log = structlog.get_logger("etude.runner")

_BATCH = 256
_TELEMETRY_KEPT = 10_000
_PAUSE_SECONDS = 1.0  # after an error that nobody thought of


class Outbox:
    """Two ways out: spooled reports in order, and telemetry that may be dropped if the broker stays away.

    Parameters
    ----------
    bus : where to
    spool : where reports wait
    """

    def __init__(self, bus: EventBus, spool: Spool) -> None:
        self._bus = bus
        self._spool = spool
        self._telemetry: deque[Envelope] = deque(maxlen=_TELEMETRY_KEPT)
        self._wake_reports = asyncio.Event()
        self._wake_telemetry = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._idle = asyncio.Event()

    def start(self) -> None:
        """Begin to send, first of all what an earlier life of this runner left."""
        self._wake_reports.set()
        sending = (self._send_reports, self._send_telemetry)
        self._tasks = [asyncio.create_task(every(_PAUSE_SECONDS, send, first_after=0.0)) for send in sending]

    def report(self, envelope: Envelope) -> None:
        """Send for sure."""
        self._spool.put(envelope)
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

    async def _send_reports(self) -> None:
        while True:
            waiting = self._spool.peek(_BATCH)
            if not waiting:
                self._idle.set()
                self._wake_reports.clear()
                await self._wake_reports.wait()
                continue
            await self._bus.publish([envelope for _, envelope in waiting])
            self._spool.remove([number for number, _ in waiting])

    async def _send_telemetry(self) -> None:
        while True:
            await self._wake_telemetry.wait()
            self._wake_telemetry.clear()
            while self._telemetry:
                batch = [self._telemetry.popleft() for _ in range(min(_BATCH, len(self._telemetry)))]
                await self._bus.publish(batch)
