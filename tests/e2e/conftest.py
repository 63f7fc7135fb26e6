"""An installation for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.installation import Installation
from tests.servers.mongod import Mongod


@pytest.fixture
def installation(tmp_path: Path, amqp_url: str, mongod: Mongod, database: str) -> Iterator[Installation]:
    """Processes on a virtual host and a database of their own; none is started yet."""
    made = Installation(tmp_path, amqp_url, mongod.url, database)
    yield made
    made.stop()
