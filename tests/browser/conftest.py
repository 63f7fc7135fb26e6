"""A browser: Debian's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.installation import Installation
from tests.servers.mongod import Mongod

_FLAGS = ["--no-sandbox", "--use-gl=swiftshader", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for the tests of a module. While it is there, no other loop can run in this process."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield made
        made.close()


@pytest.fixture
def installation(tmp_path: Path, amqp_url: str, mongod: Mongod, database: str) -> Iterator[Installation]:
    """All services, and a runner of two slots."""
    made = Installation(tmp_path, amqp_url, mongod.url, database)
    made.start_services()
    made.start_runner("one", slots=2)
    yield made
    made.stop()
