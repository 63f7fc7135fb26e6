"""A person follows a search in the browser, from its beginning to its end."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect

from tests.e2e.installation import Installation
from tests.models import LINE, SURFACE, line_config, surface_config

SEARCH = {
    "name": "async_halving",
    "metric": "loss",
    "max_length": 40,
    "num_rungs": 3,
    "divisor": 2,
    "max_trials": 8,
    "max_concurrent_trials": 2,
}
PATIENCE = 120_000  # ms
SLOWLY = 1500  # ms that a mouse button is held down, while the page changes


@pytest.fixture
def page(browser: Browser, installation: Installation) -> Iterator[Page]:
    """The list of experiments, once it is there; nothing may go wrong on a page."""
    context = browser.new_context(base_url=installation.api_url, accept_downloads=True)
    made = context.new_page()
    mistakes: list[str] = []
    made.on("pageerror", lambda error: mistakes.append(str(error)))
    made.on("console", lambda said: mistakes.append(said.text) if said.type == "error" and is_ours(said) else None)
    made.set_default_timeout(PATIENCE)
    made.goto("/")
    yield made
    context.close()
    assert mistakes == []


def is_ours(said: ConsoleMessage) -> bool:
    """The browser itself notes each answer that is a problem: 422, or 404 of an experiment that is being deleted."""
    answer = "/api/v1/experiments" in said.location["url"]
    return not (answer and any(f"with a status of {status}" in said.text for status in (404, 422)))


def drawn(page: Page, title: str) -> int:
    """How many points a figure has."""
    count: Any = page.evaluate(
        """title => {
            const sections = [...document.querySelectorAll(".figure")];
            const section = sections.find(s => s.querySelector("h2").textContent === title);
            const data = section?.querySelector(".plot")._fullData ?? [];
            return data.reduce((sum, trace) => sum + (trace.x?.length ?? 0), 0);
        }""",
        title,
    )
    return int(count)


def grows(page: Page, title: str, than: int) -> None:
    """Wait for more points."""
    for _ in range(600):
        if drawn(page, title) > than:
            return
        page.wait_for_timeout(200)
    raise AssertionError(f"{title} has no more than {drawn(page, title)} points")


def test_a_search_is_followed_from_its_beginning_to_its_best_checkpoint(
    page: Page, installation: Installation, tmp_path: Path
) -> None:
    installation.preload()
    installation.restart("one")
    config = surface_config(tmp_path, seconds=0.3, searcher=SEARCH)
    experiment_id = installation.create(config, SURFACE)
    page.get_by_role("link", name="surface").click()  # it appears by itself
    expect(page.get_by_role("heading", name="surface")).to_be_visible()

    page.get_by_role("button", name="Pause").click(delay=SLOWLY)
    page.get_by_role("button", name="Resume").click()
    grows(page, "Learning curves", 0)  # without a reload
    installation.wait(experiment_id)
    expect(page.locator(".state.completed")).to_be_visible()
    with page.expect_popup() as opened:
        page.evaluate("() => void window.open(location.href)")
    grows(opened.value, "Learning curves", 0)
    grows(page, "Learning curves", drawn(opened.value, "Learning curves") - 1)
    opened.value.close()
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(1500)  # figures find their size
        page.screenshot(path=tmp_path / f"experiment-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out"

    with page.expect_download() as begun:
        page.get_by_role("link", name="download").click()
    begun.value.save_as(tmp_path / "best.tar")
    with tarfile.open(tmp_path / "best.tar") as tar:
        assert "state.pt" in tar.getnames()

    page.get_by_role("tab", name="Logs").click()
    expect(page.get_by_label("Output of all trials")).to_contain_text("is process")
    page.get_by_role("tab", name="Trials").click()
    stopped = page.locator("tr", has=page.locator(".state.stopped")).first
    stopped.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Trial")).to_be_visible()
    expect(page.get_by_text("rests: rank").first).to_be_visible()
    expect(page.get_by_text("stopped").first).to_be_visible()
    page.get_by_role("tab", name="Log").click()
    expect(page.get_by_text("is process")).to_be_visible()
    page.get_by_role("tab", name="Runs").click()
    expect(page.get_by_role("cell", name="one").first).to_be_visible()


def test_trials_are_sorted_and_found_by_an_expression(page: Page, installation: Installation, tmp_path: Path) -> None:
    experiment_id = installation.create(line_config(tmp_path, trials=6), LINE)
    installation.wait(experiment_id)
    page.goto(f"/experiments/{experiment_id}#trials")
    cells = page.locator("tbody td:nth-child(3)")
    expect(cells).to_have_count(6)
    values = [float(text) for text in cells.all_text_contents()]
    assert values == sorted(values)
    page.get_by_role("tab", name="Hyperparameters").click()
    page.get_by_label("Across").select_option("slope")
    page.wait_for_function("document.querySelector('.plot[aria-label=\"Scatter plot\"]')._fullData?.[0].x.length === 6")
    page.get_by_role("tab", name="Trials").click()
    page.get_by_role("button", name="best loss").click()
    expect(page.locator("th[aria-sort=descending]")).to_have_text("best loss ▼")
    page.get_by_label("Only trials").fill("trial_id <= 2")
    page.get_by_label("Only trials").press("Enter")
    expect(cells).to_have_count(2)
    page.get_by_label("Only trials").fill("trial_id <")
    page.get_by_label("Only trials").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("is no expression")


@pytest.mark.timeout(120)  # where the page is stuck, nothing that is asked of it ends
def test_trials_that_are_asked_for_again_before_an_answer_came_are_shown(
    page: Page, installation: Installation, tmp_path: Path
) -> None:
    experiment_id = installation.create(line_config(tmp_path, trials=2), LINE)
    installation.wait(experiment_id)
    page.goto(f"/experiments/{experiment_id}#configuration")
    held: list[Route] = []

    def hold(route: Route) -> None:
        if len(held) < 2:
            held.append(route)
        else:
            route.continue_()

    page.route("**/trials?*", hold)
    for _ in range(2):
        page.get_by_role("tab", name="Trials").click()
    while len(held) < 2:
        page.wait_for_timeout(50)
    first, second = held
    second.continue_()
    expect(page.locator("tbody td:nth-child(3)")).to_have_count(2)
    first.continue_()
    page.get_by_role("tab", name="Decisions").click()
    expect(page.get_by_text("begins trial 2")).to_be_visible()


def test_the_keyboard_is_enough(page: Page, installation: Installation, tmp_path: Path) -> None:
    experiment_id = installation.create(line_config(tmp_path, trials=2), LINE)
    installation.wait(experiment_id)
    page.goto(f"/experiments/{experiment_id}")
    page.get_by_role("tab", name="Overview").focus()
    for name in ("Hyperparameters", "Trials"):
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name=name)).to_be_focused()
    expect(page.get_by_role("region", name="Trials")).to_be_visible()


def test_the_fleet_is_seen_and_a_runner_taken_out_of_service(page: Page, installation: Installation) -> None:
    page.get_by_role("link", name="Fleet").click()
    page.get_by_role("button", name="Disable").click()
    expect(page.locator(".state.disabled")).to_be_visible()
    page.get_by_role("button", name="Enable").click()
    expect(page.get_by_role("button", name="Drain")).to_be_visible()


def test_an_experiment_that_is_over_is_deleted(page: Page, installation: Installation, tmp_path: Path) -> None:
    experiment_id = installation.create(line_config(tmp_path, trials=1, name="to be deleted"), LINE)
    installation.wait(experiment_id)
    other = page.context.new_page()
    other.goto("/")
    link = other.get_by_role("link", name="to be deleted")
    expect(link).to_be_visible()
    page.goto(f"/experiments/{experiment_id}")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("This experiment was deleted.")).to_be_visible()
    assert len(asked) == 1
    expect(link).to_have_count(0)  # by itself
    other.close()
