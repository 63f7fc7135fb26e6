"""Takes the screenshots of the README: tunes examples/digits on a real installation, and looks at the page.

Needs RabbitMQ and Chromium (``make servers``): ``make screenshots``.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.e2e.installation import EXAMPLES, whole_installation

HERE = Path(__file__).parent
TRIALS = 40
_FLAGS = ["--no-sandbox", "--use-gl=swiftshader", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage"]


def search(folder: Path) -> Path:
    """The configuration of the example, with more trials."""
    yaml = YAML(typ="safe", pure=True)
    config = yaml.load(EXAMPLES / "digits" / "adaptive.yaml")
    config["name"] = "digits"
    config["searcher"] |= {"max_trials": TRIALS, "max_concurrent_trials": 4, "num_rungs": 4, "divisor": 3}
    with (folder / "digits.yaml").open("w") as file:
        yaml.dump(config, file)
    return folder / "digits.yaml"


def photograph(page: Page, url: str, experiment_id: str, trial_id: int) -> None:
    """One page after the other."""
    for name, path, seen in (
        ("overview", f"/experiments/{experiment_id}", ".plot .main-svg"),
        ("hyperparameters", f"/experiments/{experiment_id}#hyperparameters", ".plot .main-svg"),
        ("trial", f"/experiments/{experiment_id}/trials/{trial_id}", ".why li"),
    ):
        page.goto("about:blank")
        page.goto(url + path)
        page.locator(seen).first.wait_for(timeout=60_000)
        page.wait_for_timeout(4_000)  # figures are drawn one after the other
        page.screenshot(path=HERE / f"{name}.png", full_page=True)


def main() -> None:
    """Tune, look, and clean up."""
    chromium = shutil.which("chromium")
    assert chromium is not None, "chromium is not installed: make servers"
    with whole_installation() as installation, sync_playwright() as playwright:
        installation.start_services()
        for runner in ("gpu-1", "gpu-2"):
            installation.start_runner(runner, slots=2)
        installation.until_served()
        experiment_id = installation.create(search(installation.folder), EXAMPLES / "digits")
        assert installation.wait(experiment_id, 600)["state"] == "completed"
        stopped = installation.client().experiment(experiment_id).trials(state="stopped", sort="-best")
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 700})
        photograph(page, installation.api_url, experiment_id, stopped[0].id)
        browser.close()


if __name__ == "__main__":
    main()
