"""A consumer of one queue, on whichever session there is."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from etude.bus.amqp.session import LOST, Session
from etude.bus.delivery import Outcome
from etude.bus.port import BATCH, DeadLetter
from etude.bus.topology import Queue

log = structlog.get_logger("etude.bus")

_PAUSE_BEFORE_GIVING_BACK = 0.1

Process = Callable[[Sequence[AbstractIncomingMessage]], Awaitable[Outcome[AbstractIncomingMessage]]]


class Subscriptions(Protocol):
    """Where a subscription is kept until it is cancelled."""

    def forget(self, subscription: "AmqpSubscription") -> None:
        """A subscription was cancelled."""


class AmqpSubscription:
    """Gathers batches of messages, has them processed, and settles them with the broker."""

    def __init__(
        self, bus: Subscriptions, queue: Queue, process: Process, on_lost: Callable[[], None] | None = None
    ) -> None:
        self.attached = asyncio.Event()
        self._bus = bus
        self.queue = queue
        self._process = process
        self._on_lost = on_lost
        self._channel: AbstractChannel | None = None
        self._declared: AbstractQueue | None = None
        self._tag = ""
        self._task: asyncio.Task[None] | None = None

    async def attach(self, session: Session) -> None:
        """Consume on a session."""
        async with session.step(f"consuming {self.queue.name}"):
            channel, declared = await session.consumer_channel(self.queue)
            await channel.set_qos(prefetch_count=BATCH)
            underlay = await channel.get_underlay_channel()
            underlay.on_consumer_cancel_callbacks.add(
                lambda *_: session.lose(f"the broker cancelled the consumer of {self.queue.name}")
            )
            arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
            self._tag = await declared.consume(arrived.put)
        self._channel, self._declared = channel, declared
        self._task = asyncio.create_task(self._run(session, channel, arrived), name=f"consume {self.queue.name}")
        self.attached.set()

    async def detach(self) -> None:
        """The session is over: whoever handles a batch now is stopped, and all state is dropped."""
        task, self._task = self._task, None
        self._channel = self._declared = None
        self.attached.clear()
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if self._on_lost is not None:
                self._on_lost()

    async def consumers(self) -> int:
        """How many consumers the queue has; 0 while there is no connection."""
        if self._channel is None:
            return 0
        try:
            declared = await self._channel.declare_queue(self.queue.name, passive=True)
        except LOST as error:
            log.debug("the number of consumers is not known now", queue=self.queue.name, reason=repr(error))
            return 0
        return declared.declaration_result.consumer_count or 0

    async def cancel(self) -> None:
        """Stop consuming; what was not acknowledged goes back to the queue."""
        self._bus.forget(self)
        channel, declared = self._channel, self._declared
        if channel is not None and declared is not None:
            with contextlib.suppress(*LOST, RuntimeError):
                await declared.cancel(self._tag)
        await self.detach()
        if channel is not None:
            channel.close_callbacks.clear()
            with contextlib.suppress(*LOST, RuntimeError):
                await channel.close()

    async def _run(
        self, session: Session, channel: AbstractChannel, arrived: asyncio.Queue[AbstractIncomingMessage]
    ) -> None:
        try:
            while True:
                batch = await self._gather(arrived)
                outcome = await self._process(batch)
                await self._settle(session, channel, batch, outcome)
        except LOST as error:
            session.lose(f"consuming {self.queue.name} failed: {error!r}")
        except Exception as error:
            log.exception("consumer failed", queue=self.queue.name)
            session.lose(f"consuming {self.queue.name} failed: {error!r}")

    async def _gather(self, arrived: asyncio.Queue[AbstractIncomingMessage]) -> list[AbstractIncomingMessage]:
        """What has arrived; and what arrives soon, unless something is urgent."""
        batch = [await arrived.get()]
        hurry = self._urgent(batch[0])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.queue.linger):
                while len(batch) < BATCH and not (arrived.empty() and hurry):
                    batch.append(await arrived.get())
                    hurry = hurry or self._urgent(batch[-1])
        return batch

    def _urgent(self, message: AbstractIncomingMessage) -> bool:
        """Is there nothing to wait for?"""
        key = message.routing_key or ""
        return self.queue.linger == 0 or ".".join(key.split(".", 2)[:2]) in self.queue.urgent

    async def _settle(
        self,
        session: Session,
        channel: AbstractChannel,
        batch: Sequence[AbstractIncomingMessage],
        outcome: Outcome[AbstractIncomingMessage],
    ) -> None:
        if len(outcome.done) == len(batch):
            underlay = await channel.get_underlay_channel()
            tag = batch[-1].delivery_tag
            assert tag is not None
            await underlay.basic_ack(tag, multiple=True)
            return
        for message in outcome.done:
            await message.ack()
        for message, reason in outcome.dead:
            log.error("event goes to the dead letters", queue=self.queue.name, reason=reason)
            await session.bury(DeadLetter(self.queue.name, message.body, reason))
            await message.ack()
        if outcome.back:
            await asyncio.sleep(_PAUSE_BEFORE_GIVING_BACK)
            for message in outcome.back:
                await message.nack(requeue=True)
