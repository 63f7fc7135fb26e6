"""A trial that moves to another runner goes on as if it had not; and what becomes of its checkpoints."""

from pathlib import Path
from typing import Any

from tests.e2e.installation import Installation
from tests.e2e.test_distributed import checkpoints, the_trial, two_runners
from tests.models import SURFACE, surface_config


def final_state(installation: Installation, experiment_id: str, folder: Path) -> dict[str, Any]:
    """The state that the trial ended with, by way of the command line."""
    import torch  # late, as every process that runs tests collects these

    done = installation.etude("checkpoint", "download", experiment_id, str(folder))
    assert done.returncode == 0, done.stderr
    state: dict[str, Any] = torch.load(folder / "state.pt", weights_only=False)
    return state


def same(one: Any, other: Any) -> bool:
    """Bit by bit."""
    import torch

    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def test_a_trial_that_moves_to_another_runner_ends_with_the_same_weights(
    installation: Installation, tmp_path: Path
) -> None:
    two_runners(installation)
    undisturbed = installation.create(surface_config(tmp_path), SURFACE)
    installation.wait(undisturbed)
    moved = installation.create(surface_config(tmp_path, seconds=0.25), SURFACE)
    installation.until(lambda: len(checkpoints(installation, moved)) >= 2, 60, "it saves checkpoints")
    first = the_trial(installation, moved)["runner_id"]
    done = installation.etude("runner", "drain", first, "--reason", "test")
    assert done.returncode == 0, done.stderr
    installation.until(lambda: the_trial(installation, moved)["runner_id"] != first, 30, "it moves")
    installation.until(lambda: "disabled" in installation.etude("runner", "list").stdout, 10, "people see it")
    assert "test" in installation.etude("runner", "list").stdout
    installation.wait(moved)
    one, two = (final_state(installation, e, tmp_path / e) for e in (undisturbed, moved))
    for part in ("models", "optimizers", "schedulers", "batches", "epoch", "batch_in_epoch"):
        assert same(one[part], two[part]), part
    assert the_trial(installation, moved)["restarts"] == 0
    assert installation.etude("runner", "enable", first).returncode == 0

    installation.until(lambda: len(kept(installation, moved)) == 1, 30, "only the last checkpoint is kept")
    assert kept(installation, moved) == [60]
    left = list((installation.folder / "storage" / "checkpoints" / moved / "1").iterdir())
    assert [path.name.split("-")[1] for path in left] == ["60"]


def kept(installation: Installation, experiment_id: str) -> list[int]:
    page = installation.ask(f"/experiments/{experiment_id}/trials/1/checkpoints") or {"items": []}
    return [checkpoint["length"] for checkpoint in page["items"] if not checkpoint["deleted"]]


def test_the_winner_is_exported_and_checkpoints_are_listed_and_deleted(
    installation: Installation, tmp_path: Path
) -> None:
    two_runners(installation)
    storage = {"save_trial_latest": 3}
    experiment_id = installation.create(surface_config(tmp_path, checkpoint_storage=storage), SURFACE)
    installation.wait(experiment_id)
    done = installation.etude("checkpoint", "export", experiment_id, str(tmp_path / "winner"))
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "winner").iterdir()}
    assert names == {"checkpoint", "experiment.json", "hyperparameters.json", "model"}
    assert (tmp_path / "winner" / "model" / "model_def.py").is_file()
    installation.until(lambda: kept(installation, experiment_id) == [40, 50, 60], 30, "three are kept")
    assert installation.etude("checkpoint", "list", experiment_id).stdout.count("batches") == 3
    refused = installation.etude("checkpoint", "delete", experiment_id, "1", "45")
    assert refused.returncode == 1
    assert "there are checkpoints at: 40, 50, 60" in refused.stderr
    assert installation.etude("checkpoint", "delete", experiment_id, "1", "50").returncode == 0
    installation.until(lambda: kept(installation, experiment_id) == [40, 60], 30, "it is deleted")


HALVING = {
    "name": "sync_halving",  # nobody is promoted before all are there
    "metric": "loss",
    "max_length": 40,
    "num_rungs": 2,
    "max_trials": 8,
    "max_concurrent_trials": 1,
}


def processes(installation: Installation, experiment_id: str, trial_id: int) -> int:
    """How many processes a trial had: each prints a line at its start."""
    path = f"/experiments/{experiment_id}/trials/{trial_id}/logs"
    return sum("is process" in line["text"] for line in (installation.ask(path) or {"items": []})["items"])


def test_a_promotion_from_memory_is_one_from_the_checkpoint(installation: Installation, tmp_path: Path) -> None:
    installation.preload()
    installation.start_services()
    ends = []
    for memory in ("0", str(2**40)):
        installation.start_runner("one", ETUDE_RESIDENT_MEMORY=memory)
        experiment_id = installation.create(surface_config(tmp_path, searcher=HALVING), SURFACE)
        assert installation.wait(experiment_id)["state"] == "completed"
        trials = installation.api.get(f"/experiments/{experiment_id}/trials")["items"]
        ends.append([(trial["length"], trial["metrics"]) for trial in trials])
        promoted = sum(trial["length"] == 40 for trial in trials)
        wanted = 8 if memory != "0" else 9

        def counted(trials: Any = trials, experiment_id: str = experiment_id) -> int:
            return sum(processes(installation, experiment_id, trial["trial_id"]) for trial in trials)

        assert promoted == 2
        installation.until(lambda wanted=wanted: counted() >= wanted, 20, "logs arrive")
        assert counted() <= (8 if memory != "0" else 8 + promoted)
        installation.kill("one")
    assert ends[0] == ends[1]
