"""The application over a store that a test fills."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.metrics.api.asking import Api


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    made = Api(tmp_path / "storage")
    await made.store.open()
    yield made
    await made.http.aclose()
