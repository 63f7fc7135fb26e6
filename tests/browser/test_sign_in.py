"""Who may not look signs in first, with a token that an admin made."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.installation import Installation
from tests.servers.mongod import Mongod

ADMIN = "the first token, longer than 32 characters"


@pytest.fixture
def closed(tmp_path: Path, amqp_url: str, mongod: Mongod, database: str) -> Iterator[Installation]:
    """A metrics service that lets nobody in without a token."""
    made = Installation(tmp_path, amqp_url, mongod.url, database)
    made.environment |= {"ETUDE_API_TOKENS": "always", "ETUDE_ADMIN_TOKEN": ADMIN}
    made.start("metrics", "etude_metrics")
    made.until_served()
    yield made
    made.stop()


@pytest.fixture
def page(browser: Browser, closed: Installation) -> Iterator[Page]:
    context = browser.new_context(base_url=closed.api_url)
    yield context.new_page()
    context.close()


def etude(installation: Installation, token: str, *arguments: str) -> str:
    """What a command prints for whom a token lets in."""
    installation.environment["ETUDE_TOKEN"] = token
    done = installation.etude(*arguments)
    return done.stdout.strip() or done.stderr.strip()


def test_a_token_from_the_command_line_opens_the_page_until_it_is_revoked(page: Page, closed: Installation) -> None:
    assert "a token is needed" in etude(closed, "", "experiment", "list")
    token = etude(closed, ADMIN, "token", "create", "ada", "--role", "editor")
    assert "takes the role admin" in etude(closed, token, "token", "list")

    page.goto("/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("Token").fill("something else")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("this is no token")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("No experiment yet.")).to_be_visible()
    expect(page.get_by_text("ada (editor)")).to_be_visible()
    assert token not in str(page.evaluate("document.cookie + JSON.stringify({...localStorage, ...sessionStorage})"))
    page.reload()
    expect(page.get_by_text("No experiment yet.")).to_be_visible()

    listed = etude(closed, ADMIN, "token", "list")
    assert "ada" in listed and token not in listed
    etude(closed, ADMIN, "token", "revoke", token.split("_")[1])
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert token not in (closed.folder / "metrics.log").read_text()


def test_signing_out_forgets_the_token(page: Page, closed: Installation) -> None:
    token = etude(closed, ADMIN, "token", "create", "ada")
    page.goto("/")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_document_of_the_api_is_shown_with_nothing_from_elsewhere(page: Page, closed: Installation) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/docs")
    expect(page.get_by_text("/api/v1/experiments", exact=True).first).to_be_visible()
    assert [url for url in asked if not url.startswith((closed.api_url, "data:"))] == []
