"""A notebook and a terminal take an experiment from its creation to its winner."""

import csv
import io
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import etude
from etude.artifacts import ArtifactError
from etude.client import ApiError, Experiment
from tests.e2e.installation import Installation
from tests.models import LINE, SURFACE, line_config, surface_config

SEARCH = {
    "name": "async_halving",
    "metric": "loss",
    "max_length": 40,
    "num_rungs": 2,
    "divisor": 2,
    "max_trials": 4,
    "max_concurrent_trials": 2,
}


@pytest.fixture
def running(installation: Installation) -> Installation:
    """All services, and a runner of two slots."""
    installation.preload()
    installation.start_services()
    installation.start_runner("one", slots=2)
    installation.until_served()
    return installation


def test_from_its_creation_to_its_winner(
    running: Installation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment_id = running.create(surface_config(tmp_path, searcher=SEARCH), SURFACE)
    running.until(lambda: running.ask(f"/experiments/{experiment_id}") is not None, 30, "the experiment is known")
    client = running.client()
    assert isinstance(client, etude.Client)
    experiment = client.experiment(experiment_id)
    assert experiment.wait(progress=True).state == "completed"
    assert "surface: completed, 4 trials" in capsys.readouterr().out

    best = experiment.best_trial
    assert best is not None
    running.until(lambda: bool(list(best.logs())), 30, "its lines are there, which come later than results")
    results_are_told(experiment, tmp_path)
    terminal_tells_the_same(running, experiment, tmp_path)

    again = client.fork(experiment_id)
    assert again.wait().state == "completed"
    assert {e.id for e in client.experiments(state="completed")} == {experiment_id, again.id}
    everything_of_it_is_deleted(running, again)
    assert [e.id for e in client.experiments()] == [experiment_id]


def test_without_a_broker_everything_goes_over_http(running: Installation, tmp_path: Path) -> None:
    running.create(line_config(tmp_path, trials=1), LINE)  # so that all services are there
    running.environment["ETUDE_AMQP_URL"] = "none"
    client = running.client()
    experiment = client.create_experiment(line_config(tmp_path, trials=60, seconds=0.2), LINE)
    running.until(lambda: running.ask(f"/experiments/{experiment.id}/trials/2") is not None, 60, "it runs")
    experiment.pause()
    running.until(lambda: experiment.state == "paused", 30, "it is paused")
    experiment.change("max_trials=+5")
    assert running.etude("experiment", "kill", experiment.id).returncode == 0
    assert experiment.wait().state == "canceled"
    assert experiment.document["owner"] == "tester"
    running.until(lambda: "one" in running.etude("runner", "list").stdout, 60, "the pool is told of")
    client.change_runner("one", enabled=False, reason="for a while")
    running.until(lambda: "for a while" in running.etude("runner", "list").stdout, 30, "the runner is disabled")


def results_are_told(experiment: Experiment, tmp_path: Path) -> None:
    trials = experiment.trials(sort="best")
    assert len(trials) == 4
    best = experiment.best_trial
    assert best is not None
    assert experiment.best is not None
    assert (best.id, best.value) == (trials[0].id, experiment.best["value"])
    assert any("rank" in reason for reason in best.why())
    assert list(best.logs())
    assert experiment.trials(where=f"trial_id <= {best.id}", sort="-trial_id")[0].id == best.id

    frame = experiment.to_dataframe()
    assert len(frame) == 4
    assert frame["best"].idxmin() == best.id

    checkpoint = experiment.best_checkpoint()
    here = checkpoint.download(tmp_path / "here")
    assert checkpoint.size == sum(path.stat().st_size for path in here.rglob("*") if path.name != "manifest.json")
    checkpoint.uri = f"file://{tmp_path}/not/seen/from/here"
    there = checkpoint.download(tmp_path / "there")
    assert (there / "state.pt").read_bytes() == (here / "state.pt").read_bytes()
    with pytest.raises(ArtifactError, match="not empty"):
        checkpoint.download(there)

    assert len(experiment.plot.curves().data) > 0
    assert experiment.plot("importance").data is not None
    with pytest.raises(ApiError, match="422"):
        experiment.plot("pie")


def everything_of_it_is_deleted(running: Installation, experiment: Experiment) -> None:
    def left() -> dict[str, int]:
        found = {name: running.database[name] for name in running.database.list_collection_names()}
        counts = {n: c.count_documents({"experiment_id": experiment.id}) for n, c in found.items()}
        return {name: count for name, count in counts.items() if count}

    refused = running.etude("experiment", "delete", experiment.id)
    assert "with all of its checkpoints?" in refused.stdout
    assert refused.returncode != 0
    files = Path(urlsplit(experiment.best_checkpoint().uri).path).parents[1]
    assert files.name == experiment.id
    assert any(files.rglob("state.pt"))
    experiment.delete()
    running.until(lambda: left() == {"search_log": 1, "experiment_shares": 1}, 60, "its documents are gone")
    assert not any(path.is_file() for path in files.rglob("*"))
    with pytest.raises(ApiError, match="no experiment"):
        _ = experiment.state


def terminal_tells_the_same(running: Installation, experiment: Experiment, folder: Path) -> None:
    def said(*arguments: str) -> str:
        done = running.etude(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    best = experiment.best
    assert best is not None
    rows = list(csv.DictReader(io.StringIO(said("trial", "list", experiment.id, "--sort", "best", "--csv"))))
    assert int(rows[0]["trial"]) == best["trial_id"]
    assert len(rows) == 4
    listed = list(csv.reader(io.StringIO(said("e", "ls", "--csv"))))
    assert listed[1][:2] == [experiment.id, "completed"]
    assert "rank" in said("trial", "describe", experiment.id, str(best["trial_id"]))
    shown = said("experiment", "watch", experiment.id)
    assert "completed" in shown
    assert f"{best['value']:.6g}" in shown
    assert "is process" in said("experiment", "logs", experiment.id)
    winners = Path(said("experiment", "download", experiment.id, str(folder / "winners"), "--top", "2").strip())
    assert {path.name for path in winners.iterdir()} == {f"trial-{row['trial']}" for row in rows[:2]}
    assert all((path / "state.pt").is_file() for path in winners.iterdir())
    told = json.loads(said("api", f"/experiments/{experiment.id}/best-trials?limit=1"))
    assert told["items"][0]["trial_id"] == best["trial_id"]
    assert running.etude("api", "/nothing").returncode == 1
