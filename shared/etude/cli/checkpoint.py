"""`etude checkpoint`: what trials have saved."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from etude.cli.group import group
from etude.cli.output import AsCsv, AsJson, client, complete_experiment, print_list

app = group("List, fetch and delete what trials have saved.")

Experiment = Annotated[str, typer.Argument(metavar="EXPERIMENT", autocompletion=complete_experiment)]
Trial = Annotated[int, typer.Argument(metavar="TRIAL")]
AnyTrial = Annotated[int | None, typer.Option("--trial", help="Of this trial; by default of the best one.")]
AnyLength = Annotated[int | None, typer.Option("--length", help="At this length; by default the best one.")]
Length = Annotated[int, typer.Argument(metavar="LENGTH")]
Folder = Annotated[Path, typer.Argument(help="Is made; must be empty if it is there.")]


@app.command("list")
def list_(experiment_id: Experiment, trial: AnyTrial = None, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """List checkpoints, those that were deleted left out."""
    api = client().api
    trials = [trial] if trial else [t["trial_id"] for t in api.pages(f"/experiments/{experiment_id}/trials")]
    found = [
        checkpoint
        for trial_id in trials
        for checkpoint in api.pages(f"/experiments/{experiment_id}/trials/{trial_id}/checkpoints")
        if not checkpoint["deleted"]
    ]
    print_list(found, ("trial", "length", "unit", "bytes", "saved", "where"), _row, as_json, as_csv)


@app.command()
def download(experiment_id: Experiment, folder: Folder, trial: AnyTrial = None, length: AnyLength = None) -> None:
    """Copy a checkpoint, each file checked; by default the best one of the experiment."""
    connected = client()
    fetch(connected, experiment_id, connected.checkpoint(experiment_id, trial, length), folder)
    typer.echo(str(folder))


@app.command()
def export(experiment_id: Experiment, folder: Folder) -> None:
    """Copy all that it takes to use the winner: its checkpoint, hyperparameters, configuration and model code."""
    from etude.artifacts import fetch_model_definition
    from etude.events import ModelDefinition

    connected = client()
    experiment = connected.api.get(f"/experiments/{experiment_id}")
    fetch(connected, experiment_id, connected.checkpoint(experiment_id), folder, "checkpoint")
    (folder / "hyperparameters.json").write_text(json.dumps(experiment["best"]["hyperparameters"], indent=1) + "\n")
    (folder / "experiment.json").write_text(json.dumps(_about(experiment), indent=1) + "\n")
    definition = ModelDefinition.model_validate(experiment["model_definition"])
    fetch_model_definition(definition, folder / ".code").rename(folder / "model")
    (folder / ".code").rmdir()
    typer.echo(str(folder))


@app.command()
def delete(experiment_id: Experiment, trial_id: Trial, length: Length) -> None:
    """Delete a checkpoint, unless its trial may go on from it."""
    client().delete_checkpoint(experiment_id, trial_id, length)


def _row(c: dict[str, Any]) -> tuple[str, ...]:
    return (str(c["trial_id"]), str(c["length"]), c["unit"], str(c["size"]), c["time"][:19], c["uri"])


def fetch(connected: Any, experiment_id: str, checkpoint: dict[str, Any], folder: Path, part: str = ".") -> None:
    """Copy a checkpoint into a folder, or a part of it, that must be empty or new; note what was reported with it."""
    from etude.artifacts import fetch_checkpoint_to
    from etude.artifacts.saved import write_result

    if folder.exists() and any(folder.iterdir()):
        raise typer.BadParameter(f"{folder} is not empty")
    (folder / part).mkdir(parents=True, exist_ok=True)
    fetch_checkpoint_to(checkpoint["uri"], folder / part)
    write_result(folder / part, connected.metrics_at(experiment_id, checkpoint["trial_id"], checkpoint["length"]))


def _about(experiment: dict[str, Any]) -> dict[str, Any]:
    return {name: experiment[name] for name in ("experiment_id", "name", "metric", "best", "config", "seed")}
