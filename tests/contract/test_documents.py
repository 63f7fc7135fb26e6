"""Documents that must keep up with the code: the compose file, the settings, the fields of a configuration."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from etude.bus.topology import durable_queues
from etude.client.settings import ClientSettings
from etude.config import ExperimentConfig
from etude.config.searcher import searcher_names
from etude.service.settings import Settings
from etude.store import COLLECTIONS
from etude_metrics.__main__ import MetricsSettings
from etude_scheduler.__main__ import SchedulerSettings
from etude_trial_runner.__main__ import RunnerSettings

ROOT = Path(__file__).parents[2]
SETTINGS = (Settings, ClientSettings, MetricsSettings, SchedulerSettings, RunnerSettings)
VARIABLES = {f"ETUDE_{name.upper()}" for settings in SETTINGS for name in settings.model_fields}
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")


def text(name: str) -> str:
    return (ROOT / name).read_text()


def test_every_setting_is_documented_and_no_other() -> None:
    assert set(re.findall(r"`(ETUDE_\w+)`", text("docs/operating.md"))) == VARIABLES


def test_every_field_of_a_configuration_is_documented() -> None:
    page = text("docs/configuration.md")
    missing = [name for name in ExperimentConfig.model_fields if not re.search(rf"`\.?{name}\b", page)]
    assert missing == []
    assert [name for name in searcher_names() if f"`{name}`" not in page] == []


@pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda collection: collection.name)
def test_every_collection_is_documented(collection: Any) -> None:
    assert f"`{collection.name}`" in text("docs/architecture.md")


def test_every_queue_is_documented() -> None:
    page = text("docs/operating.md")
    for queue in durable_queues():
        name = re.sub(r"\.\d+$", ".0", queue.name).replace(".default", ".<pool>")
        assert f"`{name}`" in page


def test_the_compose_file_has_the_servers_the_services_and_a_runner() -> None:
    assert set(COMPOSE["services"]) == {"rabbitmq", "mongo", "searcher", "scheduler", "metrics", "runner"}


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_a_composed_service_can_be_built_and_is_told_what_it_understands(name: str) -> None:
    service = COMPOSE["services"][name]
    assert ("image" in service) != ("build" in service)
    if "build" in service:
        dockerfile = text(service["build"]["dockerfile"])
        for source in re.findall(r"^COPY (\S+)", dockerfile, re.MULTILINE):
            assert (ROOT / source).exists(), source
        [module] = re.findall(r'"-m", "(\w+)"', dockerfile)
        folder = "trial_runner" if name == "runner" else name
        assert (ROOT / "services" / folder / module / "__main__.py").exists()
        assert set(service["environment"]) <= VARIABLES
    for ours in service.get("ports", []):
        assert ours.startswith("127.0.0.1:"), "reachable from this machine alone"
    for other in service.get("depends_on", []):
        assert other in COMPOSE["services"]


def test_a_runner_is_not_told_where_the_database_is() -> None:
    assert "ETUDE_MONGO_URL" not in COMPOSE["services"]["runner"]["environment"]


def test_the_links_of_the_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_tests_that_the_promises_name_are_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs" / "reliability.md").read_text())
    assert len(named) > 20
    for file, name in named:
        text = (ROOT / file).read_text()
        assert not name or f"def {name}(" in text, f"{file}::{name}"
