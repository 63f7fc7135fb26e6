"""One trial in several processes, over several runners."""

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.installation import Installation
from tests.models import SURFACE, surface_config


def the_trial(installation: Installation, experiment_id: str) -> dict[str, Any]:
    found: dict[str, Any] = installation.ask(f"/experiments/{experiment_id}/trials/1") or {"length": None, "state": ""}
    return found


def end(installation: Installation, experiment_id: str) -> dict[str, float]:
    """The metrics of the only trial."""
    assert installation.wait(experiment_id)["state"] == "completed"
    metrics: dict[str, float] = the_trial(installation, experiment_id)["metrics"]
    return metrics


def processes(installation: Installation, experiment_id: str) -> dict[int, list[int]]:
    """The process ids of each rank, one for each lease, as the trial printed them."""
    found: dict[int, list[int]] = {0: [], 1: []}
    for line in (installation.ask(f"/experiments/{experiment_id}/trials/1/logs") or {"items": []})["items"]:
        if match := re.match(r"rank (\d) of 2 is process (\d+)", line["text"]):
            assert line["rank"] == int(match[1])
            found[int(match[1])].append(int(match[2]))
    return found


def checkpoints(installation: Installation, experiment_id: str) -> list[int]:
    page = installation.ask(f"/experiments/{experiment_id}/trials/1/checkpoints") or {"items": []}
    return [checkpoint["length"] for checkpoint in page["items"]]


def two_runners(installation: Installation) -> None:
    installation.preload()
    installation.start_services()
    installation.start_runner("one")
    installation.start_runner("two")


def test_two_runners_train_one_trial_as_one_does_whatever_happens(installation: Installation, tmp_path: Path) -> None:
    two_runners(installation)
    alone = end(installation, installation.create(surface_config(tmp_path, slots=1), SURFACE))
    experiment_id = installation.create(surface_config(tmp_path, slots=2, seconds=0.1), SURFACE)
    installation.until(lambda: len(checkpoints(installation, experiment_id)) >= 1, 60, "the gang saves a checkpoint")
    ranks = processes(installation, experiment_id)
    assert [len(ids) for ids in ranks.values()] == [1, 1]

    installation.client().request(experiment_id, "pause")
    installation.until(lambda: the_trial(installation, experiment_id)["state"] != "running", 30, "it is preempted")
    installation.client().request(experiment_id, "activate")
    installation.until(lambda: len(processes(installation, experiment_id)[1]) == 2, 30, "it goes on")
    saved = len(checkpoints(installation, experiment_id))
    installation.until(lambda: len(checkpoints(installation, experiment_id)) > saved, 30, "it saves a checkpoint")

    os.kill(processes(installation, experiment_id)[1][-1], signal.SIGKILL)
    installation.until(lambda: len(processes(installation, experiment_id)[0]) == 3, 30, "both begin anew")
    together = end(installation, experiment_id)
    assert together["loss"] == pytest.approx(alone["loss"], rel=1e-3)
    assert together["weights"] == pytest.approx(alone["weights"], rel=1e-4)
    assert the_trial(installation, experiment_id)["restarts"] == 1


def test_one_runner_trains_on_two_slots(installation: Installation, tmp_path: Path) -> None:
    installation.preload()
    installation.start_services()
    installation.start_runner("one", slots=2)
    alone = end(installation, installation.create(surface_config(tmp_path, slots=1), SURFACE))
    together = end(installation, installation.create(surface_config(tmp_path, slots=2), SURFACE))
    assert together["loss"] == pytest.approx(alone["loss"], rel=1e-3)
    half = end(installation, installation.create(surface_config(tmp_path, slots=0.5), SURFACE))
    assert half == alone
