"""The application over a store that a test fills."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from etude_metrics.api.eager import eager
from tests.unit.metrics.api.asking import Api


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    made = Api(tmp_path / "storage")
    await made.store.open()
    yield made
    await made.http.aclose()


@pytest.fixture
async def wants_the_newest() -> AsyncIterator[None]:
    """Whoever asks now is eager."""
    before = eager.set(True)
    yield
    eager.reset(before)
