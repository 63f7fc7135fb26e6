"""One experiment on real servers, undisturbed and disturbed."""

from typing import Any

from tests.e2e.audit import audit
from tests.e2e.installation import EXAMPLES, Installation

DIGITS = EXAMPLES / "digits"


def decisions(installation: Installation, experiment_id: str) -> list[dict[str, Any]]:
    return list(installation.database["search_log"].find({"experiment_id": experiment_id}))


def check_end(installation: Installation, experiment_id: str, experiment: dict[str, Any]) -> None:
    assert experiment["state"] == "completed"
    assert experiment["trials"] == 16
    assert experiment["best"]["value"] > 0.95
    audit(decisions(installation, experiment_id))


def running(installation: Installation, experiment_id: str, runner: str) -> bool:
    page = installation.ask(f"/experiments/{experiment_id}/trials?state=running")
    return any(trial["runner_id"] == runner for trial in (page or {}).get("items", []))


def decided(installation: Installation, experiment_id: str) -> int:
    return installation.database["search_log"].count_documents({"experiment_id": experiment_id})


def test_two_runners_complete_a_search(installation: Installation) -> None:
    installation.preload("sklearn.datasets")
    installation.start_services()
    installation.start_runner("one")
    installation.start_runner("two")
    experiment_id = installation.create(DIGITS / "adaptive.yaml", DIGITS)
    check_end(installation, experiment_id, installation.wait(experiment_id))
    trials = installation.api.get(f"/experiments/{experiment_id}/trials")["items"]
    assert {trial["runner_id"] for trial in trials} == {"one", "two"}
    assert {trial["state"] for trial in trials} == {"finished", "stopped"}
    curves = installation.api.get(f"/experiments/{experiment_id}/learning-curves")["items"]
    assert all(curve["lengths"][0] == 45 for curve in curves)
    improving = installation.api.get(f"/experiments/{experiment_id}/best-validations")["items"]
    values = [validation["metrics"]["accuracy"] for validation in improving]
    assert values == sorted(values)
    assert values[-1] == experiment_best(installation, experiment_id)


def experiment_best(installation: Installation, experiment_id: str) -> float:
    return float(installation.api.get(f"/experiments/{experiment_id}")["best"]["value"])


def test_a_search_survives_the_death_of_a_runner_the_searcher_and_the_scheduler(
    installation: Installation,
) -> None:
    installation.preload("sklearn.datasets")
    installation.start_services()
    installation.start_runner("one")
    installation.start_runner("two")
    experiment_id = installation.create(DIGITS / "adaptive.yaml", DIGITS)
    installation.until(
        lambda: decided(installation, experiment_id) >= 3 and running(installation, experiment_id, "one"),
        90,
        "runner one trains",
    )
    installation.kill("one")
    installation.start_runner("one")
    at = decided(installation, experiment_id)
    installation.until(lambda: decided(installation, experiment_id) >= at + 2, 90, "two more decisions")
    installation.kill("searcher")
    installation.start("searcher", "etude_searcher")
    at = decided(installation, experiment_id)
    installation.until(lambda: decided(installation, experiment_id) >= at + 2, 90, "the new searcher decides")
    installation.kill("scheduler")
    installation.start("scheduler", "etude_scheduler")
    check_end(installation, experiment_id, installation.wait(experiment_id))


def test_a_second_searcher_takes_over(installation: Installation) -> None:
    installation.preload("sklearn.datasets")
    installation.start_services()
    installation.start("standby", "etude_searcher")
    installation.start_runner("one", slots=2)
    experiment_id = installation.create(DIGITS / "adaptive.yaml", DIGITS)
    installation.until(lambda: decided(installation, experiment_id) >= 4, 90, "the first decisions")
    installation.kill("searcher")
    check_end(installation, experiment_id, installation.wait(experiment_id))
