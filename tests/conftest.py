"""Fixtures that tests of all kinds share, and the order in which tests run."""

import gc
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.servers.containers import Containers
from tests.servers.mongod import Mongod
from tests.servers.rabbitmq import RabbitMQ

UNIT = Path(__file__).parent / "unit"

settings.register_profile("shared machines", deadline=None)  # how long an example takes says little about it
settings.load_profile("shared machines")

gc.freeze()  # a tenth of the time of all tests was spent on looking for garbage among what was imported
gc.set_threshold(100_000, 50, 100)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let every worker begin with files of long tests, and end with short ones, which others take over from it.

    At first a worker gets as many tests as the next one, in this order.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    short = [item for item in items if item.path.is_relative_to(UNIT)]
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        if not item.path.is_relative_to(UNIT):
            files.setdefault(item.path, []).append(item)
    shares: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for number, file in enumerate(files.values()):
        shares[number % workers] += file
    whole = -(-len(items) // workers)
    for share in shares:
        share += [short.pop(0) for _ in range(min(whole - len(share), len(short)))]
    items[:] = [item for share in shares for item in share] + short


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
