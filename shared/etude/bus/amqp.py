"""The AMQP bus: events over RabbitMQ 3.10 to 4, with reconnecting of our own.

``aio_pika.connect_robust`` has open reports of consumers that stay dead after a broker restart (aio-pika issues 231,
334, 626, 632). So each connection here lives once: anything that goes wrong with it, a channel or a consumer ends the
whole session, and a supervisor builds the next one from the ground up.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence

import aio_pika
import structlog
from aio_pika.abc import (
    AbstractChannel,
    AbstractConnection,
    AbstractExchange,
    AbstractIncomingMessage,
    AbstractQueue,
)
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError, DeliveryError
from yarl import URL

from etude.bus.delivery import Outcome, deliver
from etude.bus.errors import BusClosedError
from etude.bus.port import BATCH, Handler
from etude.bus.topology import (
    DEAD,
    DELIVERY_LIMIT,
    EVENTS,
    REASON_HEADER,
    TELEMETRY,
    Queue,
    durable_queues,
    exchange_of,
    routing_key,
)
from etude.errors import Unavailable
from etude.events import Envelope

log = structlog.get_logger("etude.bus")

_LOST = (AMQPError, ChannelInvalidStateError, ConnectionError, OSError, TimeoutError, asyncio.TimeoutError)
_CONNECT_SECONDS = 10.0
_HEARTBEAT_SECONDS = 20
_LONGEST_PAUSE = 5.0
_PAUSE_BEFORE_GIVING_BACK = 0.1


class AmqpBus:
    """A connection to RabbitMQ; see :class:`etude.bus.EventBus`.

    Parameters
    ----------
    url : ``amqp://user:password@host:port/vhost``
    name : shown in RabbitMQ's management pages
    pools : resource pools whose queues are to exist
    declare : declare exchanges and durable queues; a mere publisher leaves that to the services
    """

    def __init__(
        self, url: str, name: str = "etude", pools: Sequence[str] = ("default",), declare: bool = True
    ) -> None:
        parsed = URL(url)
        self._url = parsed if "heartbeat" in parsed.query else parsed.update_query(heartbeat=_HEARTBEAT_SECONDS)
        self._name = name
        self._pools = tuple(dict.fromkeys(("default", *pools)))
        self._declare = declare
        self._subscriptions: list[AmqpSubscription] = []
        self._session: _Session | None = None
        self._connected = asyncio.Event()
        self._failure = "not connected yet"
        self._attempts = 0
        self._supervisor: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def connected(self) -> bool:
        """Is there a connection now?"""
        return self._connected.is_set()

    async def start(self, attempts: int | None = None) -> None:
        """Begin to connect.

        Parameters
        ----------
        attempts : wait for the connection, and give up after so many; by default return at once and never give up

        Raises
        ------
        Unavailable
            RabbitMQ did not answer within ``attempts``.
        """
        self._supervisor = asyncio.create_task(self._supervise(), name=f"amqp {self._name}")
        while attempts is not None and not self.connected:
            if self._attempts >= attempts:
                raise Unavailable(self._failure)
            await asyncio.sleep(0.02)

    async def publish(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        """Publish and wait until the broker holds everything; returns the events that no queue wanted.

        Waits for a connection. If it is lost on the way, all is published again on the next one: some events may then
        be there twice.
        """
        while envelopes:
            if self._closed:
                raise BusClosedError("the bus is closed; make a new AmqpBus")
            await self._connected.wait()
            session = self._session
            if session is None:
                await asyncio.sleep(0)
                continue
            try:
                return await session.publish(envelopes)
            except _LOST as error:
                session.lose(f"publishing failed: {error!r}")
                self._connected.clear()
        return []

    async def subscribe(
        self, queue: Queue, handler: Handler, on_lost: Callable[[], None] | None = None
    ) -> "AmqpSubscription":
        """Consume a queue until cancelled, on this connection and all after it."""
        subscription = AmqpSubscription(self, queue, handler, on_lost)
        self._subscriptions.append(subscription)
        if self._session is not None and self.connected:
            try:
                await subscription.attach(self._session)
            except _LOST as error:
                self._session.lose(f"consuming {queue.name} failed: {error!r}")
        if queue.exclusive:  # nobody can publish to it before it exists
            await subscription.attached.wait()
        return subscription

    async def close(self) -> None:
        """Close the connection; unacknowledged events go back to their queues."""
        self._closed = True
        self._connected.set()  # wakes publishers, who find the bus closed
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        await self._tear_down()

    def forget(self, subscription: "AmqpSubscription") -> None:
        """A subscription was cancelled."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    async def _supervise(self) -> None:
        pause = 0.5
        while not self._closed:  # a library may swallow the cancellation that close() sends
            self._attempts += 1
            try:
                async with asyncio.timeout(_CONNECT_SECONDS * 3):
                    self._session = await _Session.open(self._url, self._name, self._pools, self._declare)
                    for subscription in list(self._subscriptions):
                        await subscription.attach(self._session)
                pause = 0.5
                self._connected.set()
                await self._session.lost.wait()
                self._failure = f"the connection to RabbitMQ was lost: {self._session.reason}"
            except Exception as error:  # whoever listens there may be no RabbitMQ, and say anything
                place = self._url.with_password(None).with_query(None)
                self._failure = (
                    f"RabbitMQ at {place} cannot be used: {str(error) or repr(error)}; is ETUDE_AMQP_URL right?"
                )
            if self._closed:
                return
            self._connected.clear()
            await self._tear_down()
            log.warning("waiting for RabbitMQ", reason=self._failure, retry_in_seconds=round(pause, 1))
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _tear_down(self) -> None:
        for subscription in list(self._subscriptions):
            await subscription.detach()
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class _Session:
    """One connection, with a channel to publish on; never repaired, only replaced."""

    def __init__(self, connection: AbstractConnection) -> None:
        self.connection = connection
        self.lost = asyncio.Event()
        self.reason = ""
        self._exchanges: dict[str, AbstractExchange] = {}

    @classmethod
    async def open(cls, url: URL, name: str, pools: Sequence[str], declare: bool) -> "_Session":
        connection = await aio_pika.connect(
            url, timeout=_CONNECT_SECONDS, client_properties={"connection_name": f"etude {name}"}
        )
        session = cls(connection)
        connection.close_callbacks.add(lambda _, error: session.lose(f"connection closed: {error!r}"))
        try:
            channel = await session.channel()
            for exchange in (EVENTS, TELEMETRY):
                session._exchanges[exchange] = await channel.declare_exchange(
                    exchange, aio_pika.ExchangeType.TOPIC, durable=True
                )
            session._exchanges[DEAD] = await channel.declare_exchange(DEAD, aio_pika.ExchangeType.FANOUT, durable=True)
            if declare:
                dead = await channel.declare_queue(DEAD, durable=True, arguments={"x-queue-type": "quorum"})
                await dead.bind(DEAD)
                for queue in durable_queues(tuple(pools)):
                    await session.declare(channel, queue)
        except BaseException:
            await session.close()
            raise
        return session

    async def channel(self) -> AbstractChannel:
        """A channel whose end is the session's end."""
        channel = await self.connection.channel(publisher_confirms=True, on_return_raises=True)
        channel.close_callbacks.add(lambda _, error: self.lose(f"channel closed: {error!r}"))
        return channel

    async def declare(self, channel: AbstractChannel, queue: Queue) -> AbstractQueue:
        """Declare and bind a queue."""
        if queue.exclusive:
            declared = await channel.declare_queue(queue.name, exclusive=True, auto_delete=True)
        else:
            arguments: dict[str, aio_pika.abc.FieldValue] = {
                "x-queue-type": "quorum",
                "x-delivery-limit": DELIVERY_LIMIT,
                "x-dead-letter-exchange": DEAD,
            }
            if queue.single_active:
                arguments["x-single-active-consumer"] = True
            declared = await channel.declare_queue(queue.name, durable=True, arguments=arguments)
        for binding in queue.bindings:
            await declared.bind(queue.exchange, binding)
        return declared

    async def publish(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        """Publish all, in order, and wait for all confirms."""
        results = await asyncio.gather(*(self._publish(envelope) for envelope in envelopes), return_exceptions=True)
        unwanted = []
        for envelope, error in zip(envelopes, results, strict=True):
            if isinstance(error, DeliveryError) and error.frame is not None and error.frame.name == "Basic.Return":
                unwanted.append(envelope)
            elif isinstance(error, BaseException):
                raise error
        return unwanted

    async def bury(self, body: bytes, reason: str, queue: str) -> None:
        """Put what cannot be processed where people find it, with the reason."""
        message = aio_pika.Message(
            body,
            headers={REASON_HEADER: reason[:2000], "x-etude-queue": queue},
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        with contextlib.suppress(DeliveryError):
            await self._exchanges[DEAD].publish(message, "")

    async def close(self) -> None:
        """Close the connection, if it is not closed already."""
        self.lose("closed")
        with contextlib.suppress(*_LOST, RuntimeError):
            await asyncio.wait_for(self.connection.close(), 5)

    def lose(self, reason: str) -> None:
        """This session is over."""
        self.reason = self.reason or reason
        self.lost.set()

    async def _publish(self, envelope: Envelope) -> None:
        message = aio_pika.Message(
            envelope.to_bytes(),
            content_type="application/cloudevents+json",
            type=envelope.type,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await self._exchanges[exchange_of(envelope)].publish(message, routing_key(envelope), mandatory=True)


class AmqpSubscription:
    """A consumer of one queue, on whichever session there is."""

    def __init__(self, bus: AmqpBus, queue: Queue, handler: Handler, on_lost: Callable[[], None] | None) -> None:
        self.attached = asyncio.Event()
        self._bus = bus
        self._queue = queue
        self._handler = handler
        self._on_lost = on_lost
        self._channel: AbstractChannel | None = None
        self._declared: AbstractQueue | None = None
        self._tag = ""
        self._task: asyncio.Task[None] | None = None

    async def attach(self, session: _Session) -> None:
        """Consume on a session."""
        channel = await session.channel()
        await channel.set_qos(prefetch_count=BATCH)
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(
            lambda *_: session.lose(f"the broker cancelled the consumer of {self._queue.name}")
        )
        arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        declared = await session.declare(channel, self._queue)
        self._tag = await declared.consume(arrived.put)
        self._channel, self._declared = channel, declared
        self._task = asyncio.create_task(self._run(session, channel, arrived), name=f"consume {self._queue.name}")
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
            declared = await self._channel.declare_queue(self._queue.name, passive=True)
        except _LOST as error:
            log.debug("the number of consumers is not known now", queue=self._queue.name, reason=repr(error))
            return 0
        return declared.declaration_result.consumer_count or 0

    async def cancel(self) -> None:
        """Stop consuming; what was not acknowledged goes back to the queue."""
        self._bus.forget(self)
        channel, declared = self._channel, self._declared
        if channel is not None and declared is not None:
            with contextlib.suppress(*_LOST, RuntimeError):
                await declared.cancel(self._tag)
        await self.detach()
        if channel is not None:
            channel.close_callbacks.clear()
            with contextlib.suppress(*_LOST, RuntimeError):
                await channel.close()

    async def _run(
        self, session: _Session, channel: AbstractChannel, arrived: asyncio.Queue[AbstractIncomingMessage]
    ) -> None:
        try:
            while True:
                batch = await self._gather(arrived)
                outcome = await deliver([(message, message.body) for message in batch], self._handler)
                await self._settle(session, channel, batch, outcome)
        except _LOST as error:
            session.lose(f"consuming {self._queue.name} failed: {error!r}")
        except Exception as error:
            log.exception("consumer failed", queue=self._queue.name)
            session.lose(f"consuming {self._queue.name} failed: {error!r}")

    async def _gather(self, arrived: asyncio.Queue[AbstractIncomingMessage]) -> list[AbstractIncomingMessage]:
        """What has arrived; and what arrives soon, unless something is urgent."""
        batch = [await arrived.get()]
        hurry = self._urgent(batch[0])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._queue.linger):
                while len(batch) < BATCH and not (arrived.empty() and hurry):
                    batch.append(await arrived.get())
                    hurry = hurry or self._urgent(batch[-1])
        return batch

    def _urgent(self, message: AbstractIncomingMessage) -> bool:
        """Is there nothing to wait for?"""
        key = message.routing_key or ""
        return self._queue.linger == 0 or ".".join(key.split(".", 2)[:2]) in self._queue.urgent

    async def _settle(
        self,
        session: _Session,
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
            log.error("event goes to the dead letters", queue=self._queue.name, reason=reason)
            await session.bury(message.body, reason, self._queue.name)
            await message.ack()
        if outcome.back:
            await asyncio.sleep(_PAUSE_BEFORE_GIVING_BACK)
            for message in outcome.back:
                await message.nack(requeue=True)
