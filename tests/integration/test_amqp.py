"""What only a real broker can do: go away, come back, and keep what it was given."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import aio_pika
import pytest

from etude.bus.amqp import AmqpBus
from etude.bus.topology import DEAD, EVENTS, REASON_HEADER, scheduler_pool
from etude.errors import Unavailable
from etude.events import Envelope, EventError, Length, TrialContinued
from tests.servers.ports import free_port
from tests.servers.rabbitmq import RabbitMQ

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def continued(number: int) -> Envelope:
    event = TrialContinued(trial_id=number, train_until=Length.batches(1))
    return Envelope.wrap(event, source="test", time=NOW, experiment_id="exp")


def numbers(batches: Sequence[Sequence[Envelope]]) -> set[int]:
    return {envelope.data.trial_id for batch in batches for envelope in batch}  # type: ignore[attr-defined]


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_cut_connection_is_replaced_and_consuming_goes_on(rabbitmq: RabbitMQ, amqp_url: str) -> None:
    bus = AmqpBus(amqp_url)
    await bus.start(attempts=5)
    heard: list[Sequence[Envelope]] = []
    lost: list[bool] = []

    async def handler(batch: Sequence[Envelope]) -> None:
        heard.append(batch)

    await bus.subscribe(scheduler_pool(), handler, on_lost=lambda: lost.append(True))
    await bus.publish([continued(1)])
    await until(lambda: numbers(heard) == {1})
    await until(lambda: rabbitmq.close_connections(amqp_url) > 0)
    await until(lambda: lost == [True])
    await bus.publish([continued(2)])
    await until(lambda: numbers(heard) == {1, 2})
    await bus.close()


async def test_a_consumer_that_the_broker_cancels_is_replaced(rabbitmq: RabbitMQ, amqp_url: str) -> None:
    bus = AmqpBus(amqp_url)
    await bus.start(attempts=5)
    heard: list[Sequence[Envelope]] = []

    async def handler(batch: Sequence[Envelope]) -> None:
        heard.append(batch)

    await bus.subscribe(scheduler_pool(), handler)
    rabbitmq.delete_queue(amqp_url, scheduler_pool().name)
    await until(lambda: not bus.connected)
    await until(lambda: bus.connected)
    await bus.publish([continued(1)])
    await until(lambda: numbers(heard) == {1})
    await bus.close()


async def test_what_cannot_be_read_goes_to_the_dead_letters_with_the_reason(rabbitmq: RabbitMQ, amqp_url: str) -> None:
    bus = AmqpBus(amqp_url)
    await bus.start(attempts=5)
    heard: list[Sequence[Envelope]] = []

    async def handler(batch: Sequence[Envelope]) -> None:
        if batch[0].data.trial_id == 13:  # type: ignore[attr-defined]
            raise EventError("trial 13 was never requested")
        heard.append(batch)

    await bus.subscribe(scheduler_pool(), handler)
    connection = await aio_pika.connect(amqp_url)
    channel = await connection.channel()
    exchange = await channel.get_exchange(EVENTS)
    await exchange.publish(aio_pika.Message(b"{not json"), "trial.continued.default.1")
    await bus.publish([continued(13)])
    await bus.publish([continued(1)])
    await until(lambda: numbers(heard) == {1})
    dead = await channel.get_queue(DEAD)
    reasons = {}
    for _ in range(2):
        async with asyncio.timeout(10):
            message = await dead.get(fail=False)
            while message is None:
                await asyncio.sleep(0.05)
                message = await dead.get(fail=False)
        reasons[message.body[:9]] = str(message.headers[REASON_HEADER])
        await message.ack()
    assert "not an etude event" in reasons[b"{not json"]
    assert "trial 13 was never requested" in " ".join(reasons.values())
    await connection.close()
    await bus.close()


async def test_an_event_for_which_there_is_no_queue_is_told_to_the_publisher(amqp_url: str) -> None:
    bus = AmqpBus(amqp_url, declare=False)
    await bus.start(attempts=5)
    lonely = continued(1)
    assert await bus.publish([lonely]) == [lonely]
    await bus.close()


async def test_a_broker_that_is_not_there_is_named() -> None:
    bus = AmqpBus(f"amqp://guest:secret@127.0.0.1:{free_port()}/")
    with pytest.raises(Unavailable, match=r"RabbitMQ at amqp://guest@127.0.0.1:\d+/ cannot be used") as caught:
        await bus.start(attempts=1)
    assert "secret" not in str(caught.value)
    await bus.close()


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"AMQP\x00\x00\x09\x01", b"\x00" * 64])
async def test_whoever_listens_there_may_be_no_broker(says: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(says)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        bus = AmqpBus(f"amqp://guest:secret@127.0.0.1:{port}/")
        async with asyncio.timeout(60):
            with pytest.raises(Unavailable, match="cannot be used"):
                await bus.start(attempts=2)
        await bus.close()


async def test_a_bus_closes_even_if_a_library_swallows_the_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    async def deaf(*_: object, **__: object) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ConnectionError("cancelled? never heard of it") from None

    monkeypatch.setattr(aio_pika, "connect", deaf)
    bus = AmqpBus("amqp://127.0.0.1/")
    await bus.start()
    await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        await bus.close()


async def test_events_survive_the_death_of_the_broker(tmp_path_factory: pytest.TempPathFactory) -> None:
    broker = RabbitMQ(tmp_path_factory.mktemp("mortal"))
    broker.start()
    try:
        url = f"amqp://guest:guest@127.0.0.1:{broker.port}/"
        bus = AmqpBus(url)
        await bus.start(attempts=5)
        await bus.publish([continued(number) for number in range(1, 101)])
        await asyncio.to_thread(broker.kill)
        publishing = asyncio.create_task(bus.publish([continued(101)]))
        await asyncio.to_thread(broker.start)
        await publishing
        heard: list[Sequence[Envelope]] = []

        async def handler(batch: Sequence[Envelope]) -> None:
            heard.append(batch)

        await bus.subscribe(scheduler_pool(), handler)
        await until(lambda: numbers(heard) == set(range(1, 102)))
        await bus.close()
    finally:
        await asyncio.to_thread(broker.stop)
