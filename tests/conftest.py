"""Fixtures that tests of all kinds share."""

import uuid
from collections.abc import Iterator

import pytest

from tests.servers.containers import Containers
from tests.servers.mongod import Mongod
from tests.servers.rabbitmq import RabbitMQ


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A broker for the whole session."""
    server = RabbitMQ(tmp_path_factory.mktemp("rabbitmq"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    """A mongod for the whole session."""
    server = Mongod(tmp_path_factory.mktemp("mongod"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Containers:
    """podman, if it works here."""
    made = Containers(tmp_path_factory.mktemp("containers"))
    if made.unusable:
        pytest.skip(made.unusable)
    return made


@pytest.fixture
def amqp_url(rabbitmq: RabbitMQ) -> Iterator[str]:
    """A virtual host of this test's own."""
    url = rabbitmq.new_vhost()
    yield url
    rabbitmq.remove_vhost(url)


@pytest.fixture
def database() -> str:
    """The name of a database of this test's own."""
    return f"test_{uuid.uuid4().hex[:8]}"
