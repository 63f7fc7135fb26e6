"""What only a real broker can do: go away, come back, and keep what it was given."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import aio_pika
import pytest

from etude.bus import REFUSAL_LIMIT
from etude.bus.amqp import AmqpBus, Declares
from etude.bus.amqp.session import Session
from etude.bus.topology import DEAD, EVENTS, REASON_HEADER, Queue, durable_queues, scheduler_pool
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


async def test_an_event_whose_connection_is_lost_again_and_again_is_no_dead_letter(
    rabbitmq: RabbitMQ, amqp_url: str
) -> None:
    bus = AmqpBus(amqp_url)
    await bus.start(attempts=5)
    deliveries: list[int] = []
    handled: list[int] = []

    async def waiting_for_a_database(batch: Sequence[Envelope]) -> None:
        deliveries.append(batch[0].data.trial_id)  # type: ignore[attr-defined]
        if len(deliveries) <= REFUSAL_LIMIT + 5:
            await asyncio.Event().wait()
        handled.append(batch[0].data.trial_id)  # type: ignore[attr-defined]

    await bus.subscribe(scheduler_pool(), waiting_for_a_database)
    await bus.publish([continued(1)])
    for number in range(1, REFUSAL_LIMIT + 6):
        await until(lambda number=number: len(deliveries) == number)  # type: ignore[misc]
        assert bus._session is not None
        bus._session.lose("a cut")
    await until(lambda: handled == [1])
    assert rabbitmq.dead_letters(amqp_url) == []
    await bus.close()


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the queues that are declared, in order."""
    names: list[str] = []
    declare = Session.declare

    async def counting(session: Session, queue: Queue) -> None:
        await declare(session, queue)
        names.append(queue.name)

    monkeypatch.setattr(Session, "declare", counting)
    return names


ALL_QUEUES = [DEAD, *(queue.name for queue in durable_queues())]


async def test_of_services_that_start_together_one_declares_the_queues(amqp_url: str, declared: list[str]) -> None:
    buses = [AmqpBus(amqp_url, name=f"service {number}") for number in range(4)]
    await asyncio.gather(*(bus.start(attempts=1) for bus in buses))
    assert declared == ALL_QUEUES
    for bus in buses:
        await bus.close()


async def test_nobody_declares_what_the_broker_has(rabbitmq: RabbitMQ, amqp_url: str, declared: list[str]) -> None:
    bus = AmqpBus(amqp_url)
    await bus.start(attempts=1)
    await until(lambda: rabbitmq.close_connections(amqp_url) > 0)
    await until(lambda: not bus.connected)
    await until(lambda: bus.connected)
    assert declared == ALL_QUEUES
    await bus.close()


async def test_what_was_declared_before_a_connection_was_lost_stays_declared(
    amqp_url: str, declared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    declare = Session.declare

    async def failing_once(session: Session, queue: Queue) -> None:
        if len(declared) == 5 and session not in failed:
            failed.append(session)
            raise ConnectionError("cut")
        await declare(session, queue)

    failed: list[Session] = []
    monkeypatch.setattr(Session, "declare", failing_once)
    bus = AmqpBus(amqp_url)
    await bus.start()
    await until(lambda: len(failed) == 1)
    monkeypatch.setattr(Session, "declare", declare)
    await until(lambda: bus.connected)
    assert declared == ALL_QUEUES
    await bus.close()


async def test_a_runner_waits_until_a_service_has_declared_the_queues(amqp_url: str) -> None:
    runner = AmqpBus(amqp_url, name="runner", declares=Declares.NOTHING)
    await runner.start()
    await until(lambda: "waiting for the service that declares the queues" in runner.status)
    assert not runner.connected
    service = AmqpBus(amqp_url, name="service")
    await service.start(attempts=1)
    await until(lambda: runner.connected)
    await runner.close()
    await service.close()


async def test_a_broker_that_came_back_empty_is_declared_anew(rabbitmq: RabbitMQ, amqp_url: str) -> None:
    bus = AmqpBus(amqp_url)
    await bus.start(attempts=5)
    rabbitmq.empty(amqp_url)
    await until(lambda: not bus.connected)
    await until(lambda: bus.connected)
    assert await bus.publish([continued(1)]) == []
    await bus.close()


async def test_a_broker_that_answers_slowly_is_named_with_what_it_is_asked_for(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(session: Session, queue: Queue) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Session, "declare", slow)
    monkeypatch.setattr("etude.bus.amqp.bus._PATIENCE", 1.0)
    bus = AmqpBus(amqp_url)
    with pytest.raises(Unavailable, match=r"has not answered for 1 s while declaring etude\.dead \(1 of 22\)"):
        await bus.start(attempts=1)
    assert bus._patience == 2.0
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
    bus = AmqpBus(amqp_url, declares=Declares.EXCHANGES)
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
        await asyncio.to_thread(broker.kill)
