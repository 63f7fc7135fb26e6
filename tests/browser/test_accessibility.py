"""Every page keeps to WCAG 2.2, levels A and AA, as far as axe can tell, in both colour schemes."""

from collections.abc import Iterator
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.e2e.installation import Installation
from tests.models import LINE, line_config

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
TRIAL_TABS = ("Why", "Curves", "Log", "Runs", "Checkpoints")
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
FIGURES = ("Overview", "Hyperparameters", "Decisions", "Curves")
SOME_TIME = 2500  # ms: figures are drawn one after the other
BRIEFLY = 500  # ms
TABS = ("Overview", "Hyperparameters", "Trials", "Decisions", "Logs", "Configuration")


@pytest.fixture(scope="module")
def ids(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two experiments that are over."""
    config = line_config(tmp_path_factory.mktemp("config"), "good", "nan", max_restarts=0)
    made = [installation.create(config, LINE) for _ in range(2)]
    for experiment_id in made:
        installation.wait(experiment_id)
    return made


@pytest.fixture
def page(browser: Browser, installation: Installation) -> Iterator[Page]:
    context = browser.new_context(base_url=installation.api_url)
    made = context.new_page()
    made.set_default_timeout(120_000)
    yield made
    context.close()


def mistakes(page: Page) -> set[str]:
    """What axe finds wrong, and where, in both colour schemes."""
    found = set()
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        violations = Axe().run(page, options=RULES).response["violations"]
        found |= {
            f"{scheme}: {v['id']} ({v['help']}): {n['target']} {n['failureSummary']}"
            for v in violations
            for n in v["nodes"]
        }
    return found


def test_every_page_is_for_everyone(page: Page, ids: list[str]) -> None:
    found: dict[str, set[str]] = {}
    page.goto("/?text=nothing")
    expect(page.get_by_text("No experiment fits.")).to_be_visible()
    found["nothing"] = mistakes(page)
    page.goto("/")
    expect(page.get_by_role("link", name="line")).to_have_count(2)
    found["experiments"] = mistakes(page)
    for path, tabs in ((f"/experiments/{ids[0]}", TABS), (f"/experiments/{ids[0]}/trials/1", TRIAL_TABS)):
        page.goto(path)
        for tab in tabs:
            page.get_by_role("tab", name=tab, exact=True).click()
            page.wait_for_timeout(SOME_TIME if tab in FIGURES else BRIEFLY)
            found[f"{path} {tab}"] = mistakes(page)
    for path in (f"/compare?ids={','.join(ids)}", "/fleet", "/experiments/nothing"):
        page.goto(path)
        page.wait_for_timeout(SOME_TIME)
        found[path] = mistakes(page)
    wrong = [f"{place}: {mistake}" for place, those in found.items() for mistake in sorted(those)]
    assert not wrong, "\n".join(wrong)
