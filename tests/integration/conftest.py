"""The bus and the store, in each of their implementations."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from etude.bus import EventBus, MemoryBroker, MemoryBus
from etude.bus.amqp import AmqpBus
from etude.store import DocumentStore, SqliteStore
from etude.store.mongo import MongoStore
from tests.servers.mongod import Mongod

Connect = Callable[[], Awaitable[EventBus]]


@pytest.fixture(params=["memory", "amqp"])
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    """Makes connections to one broker."""
    made: list[EventBus] = []
    if request.param == "memory":
        broker = MemoryBroker()

        async def make() -> EventBus:
            made.append(MemoryBus(broker))
            return made[-1]
    else:
        url = request.getfixturevalue("amqp_url")

        async def make() -> EventBus:
            bus = AmqpBus(url)
            await bus.start(attempts=5)
            made.append(bus)
            return bus

    yield make
    for bus in made:
        await bus.close()


@pytest.fixture(params=["memory", "file", "mongo"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, database: str) -> AsyncIterator[DocumentStore]:
    """An empty store."""
    made: DocumentStore
    if request.param == "mongo":
        mongod: Mongod = request.getfixturevalue("mongod")
        made = MongoStore(mongod.url, database)
    else:
        made = SqliteStore(":memory:" if request.param == "memory" else tmp_path / "store.db")
    await made.open()
    yield made
    await made.close()
