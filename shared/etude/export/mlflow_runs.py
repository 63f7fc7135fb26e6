"""Runs of MLflow: one for each trial, below one for the experiment's name."""

import logging
from datetime import datetime
from pathlib import Path

from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from etude.export.tables import flat
from etude.material import Document, Material

_ENDED = {"finished": "FINISHED", "stopped": "FINISHED", "running": "RUNNING", "canceled": "KILLED", "killed": "KILLED"}
_BATCH = 1000  # metrics that MLflow takes at once


def write_runs(material: Material, target: Path) -> None:
    """A database with an experiment and its runs: ``mlflow ui --backend-store-uri sqlite:///TARGET``."""
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    client = MlflowClient(tracking_uri=f"sqlite:///{target}")
    about = material.experiment
    name = f"{about.get('name') or 'etude'} {about['experiment_id']}"
    experiment = client.create_experiment(name, tags={"etude.experiment_id": str(about["experiment_id"])})
    curves = {curve["trial_id"]: curve for curve in material.curves}
    for trial in material.trials:
        began = _milliseconds(trial["requested_at"])
        run = client.create_run(experiment, start_time=began, run_name=f"trial {trial['trial_id']}").info.run_id
        params = [Param(key, str(value)) for key, value in flat(trial["hyperparameters"]).items()]
        tags = [RunTag("etude.trial_id", str(trial["trial_id"])), RunTag("etude.state", trial["state"])]
        client.log_batch(run, params=params, tags=tags)
        metrics = _metrics(material.metric, curves.get(trial["trial_id"]), began)
        for start in range(0, len(metrics), _BATCH):
            client.log_batch(run, metrics=metrics[start : start + _BATCH])
        status = _ENDED.get(trial["state"], "FAILED" if trial["ended_at"] else "SCHEDULED")
        if trial["ended_at"]:
            client.set_terminated(run, status, _milliseconds(trial["ended_at"]))
        else:
            client.update_run(run, status=status)


def _metrics(name: str, curve: Document | None, began: int) -> list[Metric]:
    if curve is None:
        return []
    found = zip(curve["lengths"], curve["values"], strict=True)
    return [Metric(name, value, began, step) for step, value in found if value is not None]


def _milliseconds(time: str | None) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1000) if time else 0
