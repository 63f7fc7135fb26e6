"""An installation for each test, or for all tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.installation import Installation, running_installation
from tests.servers.mongod import Mongod
from tests.servers.rabbitmq import RabbitMQ


@pytest.fixture
def installation(tmp_path: Path, amqp_url: str, mongod: Mongod, database: str) -> Iterator[Installation]:
    """Processes on a virtual host and a database of their own; none is started yet."""
    made = Installation(tmp_path, amqp_url, mongod.url, database)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, rabbitmq: RabbitMQ, mongod: Mongod) -> Iterator[Installation]:
    """All services and a runner of two slots, for the tests of a module, which leave each other's experiments alone."""
    with running_installation(tmp_path_factory.mktemp("running"), rabbitmq, mongod) as made:
        yield made
