"""`etude trial`: single trials of a running installation."""

import json
import time
from typing import Annotated, Any

import typer

from etude.cli.group import group
from etude.cli.output import AsCsv, AsJson, client, complete_experiment, print_json, print_list
from etude.values import inline

app = group("Look into single trials.")

_OVER = ("finished", "stopped", "errored", "invalid-hyperparameters", "canceled", "killed")
_PAUSE_SECONDS = 0.5
Experiment = Annotated[str, typer.Argument(metavar="EXPERIMENT", autocompletion=complete_experiment)]
Trial = Annotated[int, typer.Argument(metavar="TRIAL")]


@app.command("list")
def list_(
    experiment_id: Experiment,
    where: Annotated[str, typer.Option(help="Such as 'learning_rate < 0.1 and accuracy > 0.9'.")] = "",
    state: Annotated[str, typer.Option(help="Only those in this state.")] = "",
    sort: Annotated[
        str, typer.Option(help="A field, metric or hyperparameter; with - before it, downwards.")
    ] = "trial_id",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List trials, those that fit."""
    path = f"/experiments/{experiment_id}/trials"
    found = list(client().api.pages(path, limit=1000, where=where, state=state, sort=sort))
    headings = ("trial", "state", "trained", "best", "best at", "restarts", "runner", "hyperparameters")
    print_list(found, headings, lambda trial: _row(trial, in_full=as_csv), as_json, as_csv)


@app.command()
def describe(experiment_id: Experiment, trial_id: Trial, as_json: AsJson = False) -> None:
    """Show a trial: where it is, what came of it, and every decision about it with its reason."""
    api = client().api
    path = f"/experiments/{experiment_id}"
    trial = api.get(f"{path}/trials/{trial_id}")
    placement = api.get(f"{path}/trials/{trial_id}/placement")
    decisions = list(api.pages(f"{path}/decisions", trial_id=trial_id))
    if as_json:
        print_json({**trial, "placement": placement, "decisions": decisions})
        return
    best = f"{trial['best']['value']:.6g} at {trial['best']['length']}" if trial["best"] else "-"
    typer.echo(f"trial {trial_id} is {trial['state']}: {placement['reason']}")
    typer.echo(f"hyperparameters: {inline(trial['hyperparameters']) or '-'}")
    wanted = inline(trial["target"] or {}).replace("=", " ") or "-"
    typer.echo(f"trained to: {trial['trained']}, wanted: {wanted}, restarts: {trial['restarts']}")
    typer.echo(f"best: {best}, latest: {inline(trial['metrics'] or {}) or '-'}")
    for decision in decisions:
        for reason in decision["reasons"]:
            typer.echo(f"{decision['at'][:19]} {reason}")
    if trial["detail"]:
        typer.echo("\n".join([trial["detail"], *(f"  {line}" for line in trial["log_tail"])]))


@app.command()
def logs(
    experiment_id: Experiment,
    trial_id: Trial,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is written, until it is over.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what a trial wrote, in order."""
    api = client().api
    path = f"/experiments/{experiment_id}/trials/{trial_id}"
    seen: set[tuple[int, ...]] = set()
    while True:
        over = api.get(path)["state"] in _OVER  # asked before the lines, so that the last of them are not missed
        for line in api.pages(f"{path}/logs"):
            key = (line["lease_number"], line["number"], line["rank"])
            if key not in seen:
                seen.add(key)
                print_json(line) if as_json else typer.echo(_readable(line))
        if over or not follow:
            return
        time.sleep(_PAUSE_SECONDS)


@app.command()
def retry(
    experiment_id: Experiment,
    trial_ids: Annotated[list[int] | None, typer.Argument(metavar="[TRIAL]...")] = None,
    state: Annotated[str, typer.Option(help="failed: all that used up their restarts.")] = "",
) -> None:
    """Try trials again that failed, from their latest checkpoints; a search that is over goes on."""
    if state not in ("", "failed", "errored") or bool(trial_ids) == bool(state):
        raise typer.BadParameter("name the trials, or say --state failed")
    for trial_id in client().retry(experiment_id, trial_ids or ()):
        typer.echo(trial_id)


def _row(trial: dict[str, Any], in_full: bool) -> tuple[str, ...]:
    """Columns of a list; in full for programs, with few digits for people."""
    best = trial["best"] or {"value": None, "length": "-"}
    value = "-" if best["value"] is None else repr(best["value"]) if in_full else f"{best['value']:.6g}"
    drawn = json.dumps(trial["hyperparameters"]) if in_full else inline(trial["hyperparameters"])
    trained, restarts, runner = str(trial["trained"]), str(trial["restarts"]), trial["runner_id"] or "-"
    return (str(trial["trial_id"]), trial["state"], trained, value, str(best["length"]), restarts, runner, drawn)


def _readable(line: dict[str, Any]) -> str:
    rank = f"[rank {line['rank']}] " if line["rank"] else ""
    return f"{line['time'][:19]} {rank}{line['text']}"
