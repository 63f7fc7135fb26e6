"""Model code that misbehaves ends its own trial, with the reason, and harms nothing else."""

import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from etude.client import ApiError
from tests.e2e.installation import Installation
from tests.e2e.test_resume import HALVING
from tests.models import LINE, ROGUE, SURFACE, line_config, rogue_config, surface_config
from tests.servers.containers import Containers
from tests.servers.tools import tool


def trials(installation: Installation, experiment_id: str) -> dict[str, dict[str, Any]]:
    """The trials by their behaviour."""
    path = f"/experiments/{experiment_id}/trials"
    found = [installation.api.get(f"{path}/{trial['trial_id']}") for trial in installation.api.get(path)["items"]]
    return {trial["hyperparameters"]["behaviour"]: trial for trial in found}


def one_runner(installation: Installation, slots: int = 2) -> None:
    installation.start_services()
    installation.start_runner("one", slots, ETUDE_ALLOWED_MOUNTS='["/"]')


def test_each_misbehaviour_ends_its_trial_with_the_reason(installation: Installation, tmp_path: Path) -> None:
    one_runner(installation)
    behaviours = ["leave_by_the_window", "crash", "take_memory", "report_nonsense", "leave_children", "chatter"]
    behaviours += ["claim_files", "climb_out"]
    config = rogue_config(tmp_path, *behaviours, environment={"memory_limit": "300 MiB"})
    experiment_id = installation.create(config, ROGUE)
    other = installation.create(line_config(tmp_path, trials=3), LINE)
    assert installation.wait(experiment_id)["state"] == "completed"
    found = trials(installation, experiment_id)
    details = {behaviour: trial["detail"] for behaviour, trial in found.items() if trial["state"] == "errored"}
    assert details["leave_by_the_window"] == "exit code 7"
    assert found["leave_by_the_window"]["log_tail"] == ["about to leave"]
    assert details["crash"] == "killed by signal 11"
    assert "environment.memory_limit is 300 MiB" in details["take_memory"]
    assert details["report_nonsense"].startswith(
        "etude.core.errors.MetricError: metric 'loss', which the search is for,"
    )
    assert {b for b, trial in found.items() if trial["state"] == "finished"} == {
        *("leave_children", "chatter", "claim_files"),
    }
    check_that_nothing_was_taken(installation, experiment_id, found)
    left = [p for p in psutil.process_iter(["cmdline"]) if any("etude-rogue" in a for a in p.info["cmdline"] or [])]
    assert left == []
    number = found["chatter"]["trial_id"]
    path = f"/experiments/{experiment_id}/trials/{number}/logs"

    def cut() -> bool:
        lines = list(installation.api.pages(path))
        assert sum(len(line["text"]) for line in lines) < 50 * 2**20, "of 256 MiB"
        return any("lines were cut: a trial may write 256 KiB a second" in line["text"] for line in lines)

    installation.until(cut, 30, "its log says so, which comes later than results")
    assert installation.wait(other)["state"] == "completed", "nobody else was harmed"


def test_a_trial_that_reports_nothing_for_too_long_ends_with_the_reason(
    installation: Installation, tmp_path: Path
) -> None:
    one_runner(installation, slots=1)
    config = rogue_config(tmp_path, "hang", environment={"report_timeout": 4})
    experiment_id = installation.create(config, ROGUE)
    installation.wait(experiment_id)
    hung = trials(installation, experiment_id)["hang"]
    assert hung["state"] == "errored"
    assert hung["detail"].startswith("no report for 4 s, and environment.report_timeout is 4 s")


def test_a_trial_that_hears_nothing_is_killed_when_its_experiment_is(
    installation: Installation, tmp_path: Path
) -> None:
    one_runner(installation, slots=1)
    experiment_id = installation.create(rogue_config(tmp_path, "be_deaf"), ROGUE)
    installation.until(lambda: running(installation, experiment_id), 60, "it trains")
    installation.client().request(experiment_id, "kill")
    other = installation.create(line_config(tmp_path, trials=1), LINE)
    assert installation.wait(other)["state"] == "completed", "its slot is free again"


def running(installation: Installation, experiment_id: str) -> bool:
    page = installation.ask(f"/experiments/{experiment_id}/trials?state=running") or {"items": []}
    return len(page["items"]) == 1


def check_that_nothing_was_taken(installation: Installation, experiment_id: str, found: dict[str, Any]) -> None:
    """Of trials that named files of others: nobody reads them, and nobody deletes them."""
    assert "is no path of a file within a folder" in found["climb_out"]["detail"]
    assert found["claim_files"]["state"] == "finished"
    path = f"/experiments/{experiment_id}/trials/{found['claim_files']['trial_id']}/checkpoints"
    [checkpoint] = installation.api.get(path)["items"]
    assert checkpoint["uri"].startswith(f"file://{installation.folder}/storage/checkpoints/{experiment_id}/")
    with pytest.raises(ApiError, match="does not see"):
        installation.api.get(f"{path}/1")


def test_a_trial_cannot_find_the_brokers_password(installation: Installation, tmp_path: Path) -> None:
    one_runner(installation)
    experiment_id = installation.create(rogue_config(tmp_path, "pry"), ROGUE)
    installation.wait(experiment_id)
    metrics = trials(installation, experiment_id)["pry"]["metrics"]
    assert metrics["loss"] == 0.0
    assert metrics["looked_at"] >= 3, "the runner, the process that trials are forked from, the trial"
    assert metrics["descriptors"] <= 6, "standard streams, the runner, and what looking itself takes"


@pytest.fixture(params=["bubblewrap", "container"])
def box(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a configuration says to keep its trials in a box."""
    if request.param == "container":
        containers: Containers = request.getfixturevalue("containers")
        environment = {"isolation": "container", "image": containers.image}
        return {"environment": environment, "bind_mounts": containers.bind_mounts}
    if subprocess.run([tool("bwrap"), "--ro-bind", "/", "/", "true"], check=False).returncode:
        pytest.skip("bubblewrap makes no sandbox here")
    return {"environment": {"isolation": "bubblewrap"}}


def test_a_trial_in_a_box_sees_and_changes_little(
    box: dict[str, Any], installation: Installation, tmp_path: Path
) -> None:
    one_runner(installation)
    environment = {**box.pop("environment"), "network": False}
    behaviours = ("pry", "crash", "leave_children", "claim_files", "climb_out")
    config = rogue_config(tmp_path, *behaviours, environment=environment, **box)
    experiment_id = installation.create(config, ROGUE)
    assert installation.wait(experiment_id)["state"] == "completed"
    found = trials(installation, experiment_id)
    assert found["pry"]["state"] == "finished", found["pry"]
    metrics = found["pry"]["metrics"]
    assert (metrics["loss"], metrics["interfaces"], metrics["writable"]) == (0.0, 1.0, 0.0)
    assert metrics["processes"] <= 3
    assert found["crash"]["detail"] == "killed by signal 11"
    assert found["leave_children"]["state"] == "finished"
    check_that_nothing_was_taken(installation, experiment_id, found)


def test_a_trial_in_a_box_that_takes_too_much_memory_ends(
    box: dict[str, Any], installation: Installation, tmp_path: Path
) -> None:
    one_runner(installation)
    environment = {**box.pop("environment"), "memory_limit": "300 MiB"}
    config = rogue_config(tmp_path, "take_memory", environment=environment, **box)
    experiment_id = installation.create(config, ROGUE)
    installation.wait(experiment_id)
    assert "environment.memory_limit is 300 MiB" in trials(installation, experiment_id)["take_memory"]["detail"]


def test_a_trial_in_a_box_saves_rests_and_goes_on(
    box: dict[str, Any], installation: Installation, tmp_path: Path
) -> None:
    installation.preload()
    one_runner(installation, slots=1)
    searcher = {**HALVING, "max_trials": 4}
    plain = installation.create(surface_config(tmp_path, searcher=searcher), SURFACE)
    installation.wait(plain)
    boxed = installation.create(surface_config(tmp_path, searcher=searcher, **box), SURFACE)
    installation.wait(boxed)
    one, two = (installation.api.get(f"/experiments/{e}/trials")["items"] for e in (plain, boxed))
    assert [trial["metrics"] for trial in one] == [trial["metrics"] for trial in two]
