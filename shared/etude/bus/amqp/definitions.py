"""Definitions: the queues that must exist before anybody publishes, declared by one process for all."""

import asyncio
import hashlib
from enum import Enum

import structlog

from etude.bus.amqp.session import Session
from etude.bus.topology import Queue, dead_letters, durable_queues

log = structlog.get_logger("etude.bus")

_LOCK = "etude.declaring"
_WAIT_SECONDS = 0.5
_SAY_EVERY = 60  # waits


class Declares(Enum):
    """What a process does about queues that do not exist yet."""

    QUEUES = "queues"
    """It declares them, unless another process does so already. Services do."""
    NOTHING = "nothing"
    """It waits until somebody has declared them. Runners do."""
    EXCHANGES = "exchanges"
    """It goes on without them: what it publishes comes back. Clients do."""


class Definitions:
    """Some 25 quorum queues with 300 bindings, which take a broker seconds, or minutes if it is busy.

    Were every process to declare them at every connection, a slow broker would never get done. So whoever holds a
    lock declares them, and leaves a marker: an exchange whose name is a digest of what was declared. Everybody
    else looks for the marker, which takes one round trip. What was declared before a connection was lost need not be
    declared again.
    """

    def __init__(self, pools: tuple[str, ...]) -> None:
        self._queues = [dead_letters(), *durable_queues(pools)]
        self._declared: set[str] = set()
        described = [(q.name, q.exchange, q.bindings, q.single_active) for q in self._queues]
        self.marker = f"etude.declared.{hashlib.sha256(repr(described).encode()).hexdigest()[:12]}"

    async def ensure(self, session: Session, declares: Declares) -> None:
        """Return when all queues exist."""
        waits = 0
        while declares is not Declares.EXCHANGES and not await self._is_declared(session):
            if declares is Declares.QUEUES and await self._declare(session):
                return
            session.current_step = "waiting for the service that declares the queues"
            if waits % _SAY_EVERY == 0:
                log.info("waiting for a service to declare the queues")
            waits += 1
            async with asyncio.timeout(_WAIT_SECONDS * 2):
                await asyncio.sleep(_WAIT_SECONDS)
            if session.lost.is_set():
                raise ConnectionError(session.reason)

    async def _is_declared(self, session: Session) -> bool:
        async with session.step("looking for the queues"):
            return await session.has_exchange(self.marker)

    async def _declare(self, session: Session) -> bool:
        """Declare everything; False if another process is about to."""
        async with session.step("asking who declares the queues"):
            lock = await session.take_lock(_LOCK)
        if lock is None:
            return False
        if not await self._is_declared(session):  # by whoever held the lock until now
            for number, queue in enumerate(self._queues, 1):
                async with session.step(f"declaring {queue.name} ({number} of {len(self._queues)})"):
                    await self._declare_queue(session, queue)
            async with session.step("marking the queues as declared"):
                await session.declare_marker(self.marker)
        await lock.close()
        return True

    async def _declare_queue(self, session: Session, queue: Queue) -> None:
        if queue.name in self._declared and await session.has_queue(queue.name):
            return
        await session.declare(queue)
        self._declared.add(queue.name)
