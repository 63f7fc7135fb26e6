"""A browser: Debian's Chromium, driven by Playwright."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.installation import Installation, running_installation
from tests.servers.mongod import Mongod
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.tools import tool

_FLAGS = ["--no-sandbox", "--use-gl=swiftshader", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for the tests of a module. While it is there, no other loop can run in this process."""
    chromium = tool("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield made
        made.close()


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, rabbitmq: RabbitMQ, mongod: Mongod
) -> Iterator[Installation]:
    """All services and a runner of two slots, for the tests of a module, which leave each other's experiments alone."""
    with running_installation(tmp_path_factory.mktemp("installation"), rabbitmq, mongod) as made:
        yield made
