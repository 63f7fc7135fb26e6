"""Exports open in the tools that they are for."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from etude.export import FORMS, ExportError, export
from etude.material import Material
from tests.unit.make import raw_config


@pytest.fixture
def material() -> Material:
    """Three trials, of which the third has no result."""

    def trial(number: int, state: str, value: float | None) -> dict[str, Any]:
        return {
            "trial_id": number,
            "state": state,
            "hyperparameters": {"rate": 0.1 * number, "net": {"sizes": [8, number]}},
            "bracket": 0,
            "rungs": [],
            "length": 40 if value is not None else None,
            "best": {"value": value, "length": 20, "checkpoint": None} if value is not None else None,
            "metrics": {"loss": value, "accuracy": 0.5} if value is not None else None,
            "restarts": 0,
            "requested_at": "2026-01-01T00:00:00+00:00",
            "ended_at": None,
            "target": {"batches": 40},
        }

    space = {"rate": {"type": "double", "minval": 0, "maxval": 1}}
    experiment = {
        "experiment_id": "exp",
        "metric": "loss",
        "smaller_is_better": True,
        "config": raw_config(hyperparameters=space),
    }
    curves = [
        {
            "trial_id": n,
            "unit": "batches",
            "lengths": [10, 20, 40],
            "values": [0.9 / n, 0.5 / n, None if n == 1 else 0.6],
        }
        for n in (1, 2)
    ]
    trials = [trial(1, "finished", 0.5), trial(2, "stopped", 0.25), trial(3, "errored", None)]
    return Material(experiment, trials, curves)


def test_a_study_opens_in_optuna(material: Material, tmp_path: Path) -> None:
    import optuna

    file = export(material, "optuna", tmp_path / "study.db")
    study = optuna.load_study(study_name="exp", storage=f"sqlite:///{file}")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED", "FAIL"]
    assert study.best_params == {"rate": 0.1}
    assert study.trials[1].intermediate_values == {10: 0.45, 20: 0.25, 40: 0.6}


def test_a_study_opens_in_optuna_dashboard(material: Material, tmp_path: Path) -> None:
    import optuna
    import optuna_dashboard

    file = export(material, "optuna", tmp_path / "study.db")
    app = optuna_dashboard.wsgi(optuna.storages.get_storage(f"sqlite:///{file}"))
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://dashboard") as dashboard:
        [summary] = dashboard.get("/api/studies").json()["study_summaries"]
        study = dashboard.get(f"/api/studies/{summary['study_id']}", params={"after": 0}).json()
    assert (summary["study_name"], summary["directions"]) == ("exp", ["minimize"])
    assert [trial["state"] for trial in study["trials"]] == ["Complete", "Pruned", "Fail"]
    assert [trial["number"] for trial in study["best_trials"]] == [0]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_tables_open_in_pandas(material: Material, tmp_path: Path, form: str) -> None:
    import pandas

    read = pandas.read_csv if form == "csv" else pandas.read_parquet
    folder = export(material, form, tmp_path / "tables")
    trials = read(folder / f"trials.{form}")
    assert list(trials["hyperparameters.rate"]) == pytest.approx([0.1, 0.2, 0.3])
    assert list(trials["hyperparameters.net.sizes"]) == ["[8, 1]", "[8, 2]", "[8, 3]"]
    assert list(trials["best"][:2]) == [0.5, 0.25]
    assert trials["metrics.accuracy"].isna().tolist() == [False, False, True]
    validations = read(folder / f"validations.{form}")
    assert len(validations) == 6
    assert validations["loss"].isna().sum() == 1


def test_event_files_open_in_tensorboard(material: Material, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = export(material, "tensorboard", tmp_path / "runs")
    assert sorted(path.name for path in folder.iterdir()) == ["trial-1", "trial-2", "trial-3"]
    read = EventAccumulator(str(folder / "trial-2"))
    read.Reload()
    assert [(event.step, round(event.value, 6)) for event in read.Scalars("loss")] == [
        (10, 0.45),
        (20, 0.25),
        (40, 0.6),
    ]


def test_runs_open_in_mlflow(material: Material, tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    store = export(material, "mlflow", tmp_path / "runs.db")
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    [found] = [e for e in client.search_experiments() if e.name != "Default"]
    runs = {run.info.run_name: run for run in client.search_runs([found.experiment_id])}
    assert sorted(runs) == ["trial 1", "trial 2", "trial 3"]
    first = runs["trial 1"]
    assert first.data.params == {"rate": "0.1", "net.sizes": "[8, 1]"}
    history = client.get_metric_history(first.info.run_id, "loss")
    assert [(m.step, m.value) for m in history] == [(10, 0.9), (20, 0.5)]
    assert runs["trial 3"].data.metrics == {}


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_written_over(material: Material, tmp_path: Path, form: str) -> None:
    target = tmp_path / "there"
    target.write_text("mine")
    with pytest.raises(ExportError, match="exists; name something new"):
        export(material, form, target)
    assert target.read_text() == "mine"


def test_a_form_that_nobody_knows_says_which_are_known(material: Material, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="'excel' is none of optuna, tensorboard, csv, parquet, mlflow"):
        export(material, "excel", tmp_path / "x")


def test_a_library_that_is_missing_is_named(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ExportError, match=r"parquet needs pyarrow: pip install etude\[export\]"):
        export(material, "parquet", tmp_path / "x")
