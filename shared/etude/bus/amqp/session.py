"""One connection to RabbitMQ, with a channel to publish on; never repaired, only replaced."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractQueue, FieldValue
from aio_pika.exceptions import (
    AMQPError,
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    DeliveryError,
)
from aiormq.exceptions import ChannelLockedResource
from yarl import URL

from etude.bus.errors import UnknownQueueError
from etude.bus.port import DeadLetter
from etude.bus.topology import DEAD, EVENTS, QUEUE_HEADER, REASON_HEADER, TELEMETRY, Queue, exchange_of, routing_key
from etude.events import Envelope

log = structlog.get_logger("etude.bus")

LOST = (AMQPError, ChannelInvalidStateError, ConnectionError, OSError, TimeoutError, asyncio.TimeoutError)
"""What a call raises whose connection or channel is gone."""

_NO_DELIVERY_LIMIT = 1_000_000
"""A delivery is counted when a connection is lost, too; etude counts what handlers fail on (:class:`Refusals`).
RabbitMQ 4 has a limit of 20 unless it is told another, and RabbitMQ 3 knows no number for "none"."""


class Session:
    """A connection that is used until it is lost.

    Parameters
    ----------
    patience : seconds that the broker may take for one step
    """

    def __init__(self, patience: float) -> None:
        self.lost = asyncio.Event()
        self.reason = ""
        self.current_step = "connecting"
        self._patience = patience
        self._connection: AbstractConnection | None = None
        self._exchanges: dict[str, AbstractExchange] = {}

    async def open(self, url: URL, name: str) -> None:
        """Connect, and have the exchanges."""
        self._connection = await aio_pika.connect(
            url, timeout=self._patience, client_properties={"connection_name": f"etude {name}"}
        )
        self._connection.close_callbacks.add(lambda _, error: self.lose(f"connection closed: {error!r}"))
        async with self.step("declaring the exchanges"):
            channel = await self.channel()
            for exchange in (EVENTS, TELEMETRY):
                self._exchanges[exchange] = await channel.declare_exchange(
                    exchange, aio_pika.ExchangeType.TOPIC, durable=True
                )
            self._exchanges[DEAD] = await channel.declare_exchange(DEAD, aio_pika.ExchangeType.FANOUT, durable=True)
            self._exchanges[""] = channel.default_exchange

    @contextlib.asynccontextmanager
    async def step(self, doing: str) -> AsyncIterator[None]:
        """One step of setting up, which may take so long; a slow broker that answers is not given up."""
        self.current_step = doing
        async with asyncio.timeout(self._patience):
            yield

    async def channel(self) -> AbstractChannel:
        """A channel whose end is the session's end."""
        channel = await self._trial_channel()
        self._guard(channel)
        return channel

    async def consumer_channel(self, queue: Queue) -> tuple[AbstractChannel, AbstractQueue]:
        """A channel to consume a queue on. A queue that does not exist is declared."""
        channel = await self._trial_channel()
        if queue.exclusive:
            declared = await channel.declare_queue(queue.name, exclusive=True, auto_delete=True)
            for binding in queue.bindings:
                await declared.bind(queue.exchange, binding)
        else:
            try:
                declared = await channel.get_queue(queue.name, ensure=True)
            except ChannelNotFoundEntity:
                log.warning("declaring a queue that does not exist", queue=queue.name)
                await self.declare(queue)
                channel = await self._trial_channel()
                declared = await channel.get_queue(queue.name, ensure=False)
        self._guard(channel)
        return channel, declared

    async def has_exchange(self, name: str) -> bool:
        """Is there such an exchange?"""
        channel = await self._trial_channel()
        try:
            await channel.get_exchange(name, ensure=True)
        except ChannelNotFoundEntity:
            return False
        await channel.close()
        return True

    async def has_queue(self, name: str) -> bool:
        """Is there such a queue?"""
        channel = await self._trial_channel()
        try:
            await channel.get_queue(name, ensure=True)
        except ChannelNotFoundEntity:
            return False
        await channel.close()
        return True

    async def declare_marker(self, name: str) -> None:
        """Declare an exchange that routes nothing and only exists."""
        channel = await self.channel()
        await channel.declare_exchange(name, aio_pika.ExchangeType.FANOUT, durable=True)

    async def take_lock(self, name: str) -> AbstractChannel | None:
        """Hold a lock for as long as the channel is open that is returned; None if another connection has it."""
        channel = await self._trial_channel()
        try:
            await channel.declare_queue(name, exclusive=True, auto_delete=True)
        except ChannelLockedResource:
            return None
        return channel

    async def declare(self, queue: Queue) -> None:
        """Declare and bind a queue that outlives its consumers.

        Of one that an earlier version declared with other arguments, the arguments stay as they are.
        """
        arguments: dict[str, FieldValue] = {"x-queue-type": "quorum", "x-delivery-limit": _NO_DELIVERY_LIMIT}
        if queue.name != DEAD:
            arguments["x-dead-letter-exchange"] = DEAD
        if queue.single_active:
            arguments["x-single-active-consumer"] = True
        channel = await self._trial_channel()
        try:
            declared = await channel.declare_queue(queue.name, durable=True, arguments=arguments)
        except ChannelPreconditionFailed as error:
            log.warning(
                "a queue keeps the arguments that an earlier version gave it; "
                "to renew it, stop etude and delete it when it is empty",
                queue=queue.name,
                reason=str(error),
            )
            channel = await self._trial_channel()
            declared = await channel.get_queue(queue.name, ensure=False)
        for binding in queue.bindings:
            await declared.bind(queue.exchange, binding)
        await channel.close()

    async def publish(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        """Publish all, in order, and wait for all confirms; returns those that no queue wanted."""
        results = await asyncio.gather(*(self._publish(envelope) for envelope in envelopes), return_exceptions=True)
        unwanted = []
        for envelope, error in zip(envelopes, results, strict=True):
            if _is_return(error):
                unwanted.append(envelope)
            elif isinstance(error, BaseException):
                raise error
        return unwanted

    async def bury(self, letter: DeadLetter) -> None:
        """Put what cannot be processed where people find it, with the reason."""
        message = aio_pika.Message(
            letter.body,
            headers={REASON_HEADER: letter.reason[:2000], QUEUE_HEADER: letter.queue},
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        with contextlib.suppress(DeliveryError):
            await self._exchanges[DEAD].publish(message, "")

    async def requeue(self, letter: DeadLetter) -> None:
        """Put a dead letter back into its queue, without going through an exchange."""
        message = aio_pika.Message(letter.body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        try:
            await self._exchanges[""].publish(message, letter.queue, mandatory=True)
        except DeliveryError as error:
            if _is_return(error):
                raise UnknownQueueError(f"there is no queue {letter.queue} on this broker") from None
            raise

    async def close(self) -> None:
        """Close the connection, if it is not closed already."""
        self.lose("closed")
        if self._connection is not None:
            with contextlib.suppress(*LOST, RuntimeError):
                await asyncio.wait_for(self._connection.close(), 5)

    def lose(self, reason: str) -> None:
        """This session is over."""
        self.reason = self.reason or reason
        self.lost.set()

    def _guard(self, channel: AbstractChannel) -> None:
        channel.close_callbacks.add(lambda _, error: self.lose(f"channel closed: {error!r}"))

    async def _trial_channel(self) -> AbstractChannel:
        """A channel that may be closed by a refusal, without harm to the session."""
        assert self._connection is not None, "open() comes first"
        return await self._connection.channel(publisher_confirms=True, on_return_raises=True)

    async def _publish(self, envelope: Envelope) -> None:
        message = aio_pika.Message(
            envelope.to_bytes(),
            content_type="application/cloudevents+json",
            type=envelope.type,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await self._exchanges[exchange_of(envelope)].publish(message, routing_key(envelope), mandatory=True)


def _is_return(error: object) -> bool:
    """Did the broker give a message back, for want of a queue?"""
    return isinstance(error, DeliveryError) and error.frame is not None and error.frame.name == "Basic.Return"
