"""AmqpBus: the connection to RabbitMQ that services hold, and its supervisor."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence

import structlog
from aio_pika.abc import AbstractIncomingMessage
from yarl import URL

from etude.bus.amqp.definitions import Declares, Definitions
from etude.bus.amqp.session import LOST, Session
from etude.bus.amqp.subscription import AmqpSubscription
from etude.bus.delivery import Outcome, Refusals, deliver, deliver_letters
from etude.bus.errors import BusClosedError
from etude.bus.port import DeadLetter, Handler, LetterHandler
from etude.bus.topology import QUEUE_HEADER, REASON_HEADER, Queue, dead_letters
from etude.errors import Failure, Unavailable
from etude.events import Envelope

log = structlog.get_logger("etude.bus")

_PATIENCE = 30.0
_LONGEST_PATIENCE = 300.0
_HEARTBEAT_SECONDS = 20
_LONGEST_PAUSE = 5.0


def _broker(url: str) -> URL:
    """The parsed URL; what is wrong is said without the password in it."""
    with contextlib.suppress(ValueError):
        parsed = URL(url)
        if parsed.scheme in ("amqp", "amqps") and parsed.host:
            return parsed
    raise Failure("ETUDE_AMQP_URL is not the address of a broker: amqp://user:password@host:5672/ is wanted")


class AmqpBus:
    """A connection to RabbitMQ; see :class:`etude.bus.EventBus`.

    Parameters
    ----------
    url : ``amqp://user:password@host:port/vhost``
    name : shown in RabbitMQ's management pages
    pools : resource pools whose queues are to exist
    declares : what to do about queues that do not exist yet

    Raises
    ------
    Failure
        The URL is none of a broker.
    """

    def __init__(
        self,
        url: str,
        name: str = "etude",
        pools: Sequence[str] = ("default",),
        declares: Declares = Declares.QUEUES,
    ) -> None:
        parsed = _broker(url)
        self._url = parsed if "heartbeat" in parsed.query else parsed.update_query(heartbeat=_HEARTBEAT_SECONDS)
        self._name = name
        self._definitions = Definitions(tuple(dict.fromkeys(("default", *pools))))
        self._declares = declares
        self._patience = _PATIENCE
        self._subscriptions: list[AmqpSubscription] = []
        self._session: Session | None = None
        self._connected = asyncio.Event()
        self._failure = "not connected yet"
        self._failed_attempts = 0
        self._supervisor: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def connected(self) -> bool:
        """Is there a connection now?"""
        return self._connected.is_set()

    async def tell_when_connected(self, tell: Callable[[], None]) -> None:
        """Wait for the first connection, with all that is consumed, and tell of it."""
        await self._connected.wait()
        tell()

    @property
    def status(self) -> str:
        """What it does now, or what it waits for."""
        if self.connected:
            return "connected"
        return f"{self._session.current_step} ({self._failure})" if self._session else self._failure

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
            if self._failed_attempts >= attempts:
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
            except LOST as error:
                self._lose(session, f"publishing failed: {error!r}")
        return []

    async def requeue(self, letter: DeadLetter) -> None:
        """Put a dead letter back into the queue that it was taken from; see :class:`etude.bus.EventBus`."""
        session = self._session
        if session is None or not self.connected:
            raise Unavailable(self._failure)
        try:
            await session.requeue(letter)
        except LOST as error:
            self._lose(session, f"publishing failed: {error!r}")
            raise Unavailable(f"the connection to RabbitMQ was lost: {error!r}") from None

    async def subscribe(
        self, queue: Queue, handler: Handler, on_lost: Callable[[], None] | None = None
    ) -> AmqpSubscription:
        """Consume a queue until cancelled, on this connection and all after it."""
        refusals = Refusals()

        async def process(batch: Sequence[AbstractIncomingMessage]) -> Outcome[AbstractIncomingMessage]:
            return await deliver([(message, message.body) for message in batch], handler, refusals)

        return await self._consume(AmqpSubscription(self, queue, process, on_lost))

    async def subscribe_dead_letters(self, handler: LetterHandler) -> AmqpSubscription:
        """Consume the dead letters of all queues until cancelled."""

        async def process(batch: Sequence[AbstractIncomingMessage]) -> Outcome[AbstractIncomingMessage]:
            return await deliver_letters([(message, _letter(message)) for message in batch], handler)

        return await self._consume(AmqpSubscription(self, dead_letters(), process))

    async def _consume(self, subscription: AmqpSubscription) -> AmqpSubscription:
        self._subscriptions.append(subscription)
        if self._session is not None and self.connected:
            try:
                await subscription.attach(self._session)
            except LOST as error:
                self._session.lose(f"consuming {subscription.queue.name} failed: {error!r}")
        if subscription.queue.exclusive:  # nobody can publish to it before it exists
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

    def forget(self, subscription: AmqpSubscription) -> None:
        """A subscription was cancelled."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    async def _supervise(self) -> None:
        pause = 0.5
        while not self._closed:  # a library may swallow the cancellation that close() sends
            session = self._session = Session(self._patience)
            try:
                await self._set_up(session)
                pause, self._patience = 0.5, _PATIENCE
                self._connected.set()
                await session.lost.wait()
                self._failure = f"the connection to RabbitMQ was lost: {session.reason}"
            except Exception as error:  # whoever listens there may be no RabbitMQ, and say anything
                self._failure = self._describe_failure(session, error)
                if isinstance(error, TimeoutError):
                    self._patience = min(self._patience * 2, _LONGEST_PATIENCE)
            if self._closed:
                return
            self._failed_attempts += 1
            self._connected.clear()
            await self._tear_down()
            log.warning("waiting for RabbitMQ", reason=self._failure, retry_in_seconds=round(pause, 1))
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _set_up(self, session: Session) -> None:
        await session.open(self._url, self._name)
        await self._definitions.ensure(session, self._declares)
        while waiting := [s for s in self._subscriptions if not s.attached.is_set()]:  # more may come on the way
            await waiting[0].attach(session)

    def _describe_failure(self, session: Session, error: Exception) -> str:
        place = self._url.with_password(None).with_query(None)
        if session.current_step == "connecting":
            return f"RabbitMQ at {place} cannot be used: {str(error) or repr(error)}; is ETUDE_AMQP_URL right?"
        if isinstance(error, TimeoutError):
            return f"RabbitMQ at {place} has not answered for {self._patience:.0f} s while {session.current_step}"
        return f"RabbitMQ at {place} failed while {session.current_step}: {str(error) or repr(error)}"

    def _lose(self, session: Session, reason: str) -> None:
        session.lose(reason)
        if session is self._session:
            self._connected.clear()

    async def _tear_down(self) -> None:
        for subscription in list(self._subscriptions):
            await subscription.detach()
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _letter(message: AbstractIncomingMessage) -> DeadLetter:
    """What was buried by etude, or by the broker itself."""
    queue = message.headers.get(QUEUE_HEADER) or message.headers.get("x-first-death-queue") or ""
    reason = message.headers.get(REASON_HEADER) or message.headers.get("x-first-death-reason") or "unknown"
    return DeadLetter(str(queue), message.body, str(reason))
