"""`etude experiment`: experiments of a running installation (`ETUDE_AMQP_URL`, `ETUDE_API_URL`)."""

import shlex
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from etude.cli.group import group
from etude.cli.output import AsCsv, AsJson, complete_experiment, print_json, print_list, print_table
from etude.cli.output import client as connect
from etude.home import LOCAL_HOME
from etude.values import inline

_PAUSE_SECONDS = 0.5
_LATE = timedelta(minutes=2)  # that lines of one trial may come after later ones of another

app = group("Create, watch and steer experiments of a running installation.")

Id = Annotated[str, typer.Argument(metavar="ID", help="The experiment.", autocompletion=complete_experiment)]


@app.command()
def create(
    config: Annotated[Path, typer.Argument(help="Experiment configuration (YAML).")],
    model_dir: Annotated[Path, typer.Argument(help="Folder with the model's code.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for the end, and show progress.")] = False,
) -> None:
    """Check and store everything, then publish experiment.created. Prints the id."""
    client = connect()
    experiment_id = client.create_experiment(config, model_dir, lambda told: typer.echo(told, err=True)).id
    typer.echo(experiment_id)
    if follow:
        _follow(client, experiment_id)


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    label: Annotated[str | None, typer.Option(help="Only those with this label.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only those of this person.")] = None,
    text: Annotated[str | None, typer.Option(help="Only those whose name or id has this.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Those that were archived.")] = False,
    sort: Annotated[str, typer.Option(help="A column, such as best or -created_at.")] = "-created_at",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List experiments, the latest first."""
    where = {"state": state, "label": label, "owner": owner, "text": text, "archived": archived}
    found = list(connect().api.pages("/experiments", sort=sort, **where))
    headings = ("id", "state", "progress", "trials", "best", "owner", "name")
    print_list(found, headings, _row, as_json, as_csv)


@app.command()
def describe(experiment_id: Id, as_json: AsJson = False) -> None:
    """Show an experiment, its trials, and the traceback of those that failed."""
    api = connect().api
    experiment = api.get(f"/experiments/{experiment_id}")
    path = f"/experiments/{experiment_id}/trials"  # a list has no logs: those that say something are asked for
    trials = [api.get(f"{path}/{t['trial_id']}") if t["detail"] else t for t in api.pages(path)]
    if as_json:
        print_json({**experiment, "trial_list": trials})
        return
    for name in ("experiment_id", "name", "state", "reason", "refused", "owner", "created_at", "ended_at"):
        if experiment[name]:
            typer.echo(f"{name.replace('_', ' ')}: {experiment[name]}")
    if waits := _why_it_waits(api, path, trials):
        typer.echo(f"waits: {waits}")
    typer.echo(f"progress: {experiment['progress']:.0%}\nbest: {_best(experiment)}\n")
    print_table(
        ("trial", "state", "trained", experiment["metric"] or "best", "best at", "restarts", "hyperparameters"),
        [_trial_row(trial) for trial in trials],
    )
    for trial in trials:
        if trial["detail"]:
            typer.echo(f"\ntrial {trial['trial_id']}: {trial['detail']}")
            for line in trial["log_tail"]:
                typer.echo(f"  {line}")


@app.command()
def watch(
    experiment_id: Id,
    trials: Annotated[int, typer.Option(help="How many of the best trials to show.")] = 10,
) -> None:
    """Watch an experiment as it goes on; exit 0 if it completes. Ctrl-C leaves it alone."""
    from etude.cli.live import watch_live

    experiment = watch_live(connect(), experiment_id, trials)
    raise typer.Exit(0 if experiment["state"] == "completed" else 1)


@app.command()
def logs(
    experiment_id: Id,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is written, until it is over.")] = False,
) -> None:
    """Print what all of its trials wrote, each line after the number of its trial."""
    from etude.client.asking import ENDED

    api = connect().api
    path = f"/experiments/{experiment_id}"
    seen: set[tuple[int, ...]] = set()
    since: str | None = None
    while True:
        over = api.get(path)["state"] in ENDED  # asked before the lines, so that the last of them are not missed
        for line in api.pages(f"{path}/logs", limit=1000, since=since):
            key = (line["trial_id"], line["lease_number"], line["number"], line["rank"])
            if key not in seen:
                seen.add(key)
                typer.echo(f"{line['trial_id']:5} {line['time'][:19]} {line['text']}")
                since = (datetime.fromisoformat(line["time"]) - _LATE).isoformat()
        if over or not follow:
            return
        time.sleep(_PAUSE_SECONDS)


@app.command()
def fork(
    experiment_id: Id,
    config: Annotated[Path | None, typer.Option(help="Another configuration; by default its own.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for the end, and show progress.")] = False,
) -> None:
    """Make an experiment with the model of this one. Prints the new id. (To extend one: etude experiment set.)"""
    client = connect()
    made = client.fork(experiment_id, config)
    typer.echo(made.id)
    if follow:
        _follow(client, made.id)


@app.command()
def wait(experiment_id: Id, as_json: AsJson = False) -> None:
    """Wait for an experiment's end; exit 0 if it completed."""
    client = connect()
    experiment = client.wait(experiment_id)
    if as_json:
        print_json(experiment)
    else:
        typer.echo(f"{experiment['state']}: {_best(experiment)}")
    raise typer.Exit(0 if experiment["state"] == "completed" else 1)


@app.command()
def pause(experiment_id: Id) -> None:
    """Free its slots; trials keep their checkpoints."""
    _request(experiment_id, "pause")


@app.command()
def activate(experiment_id: Id) -> None:
    """Go on with a paused experiment."""
    _request(experiment_id, "activate")


@app.command()
def cancel(experiment_id: Id) -> None:
    """End an experiment; running trials save a checkpoint first."""
    _request(experiment_id, "cancel")


@app.command()
def kill(experiment_id: Id) -> None:
    """End an experiment at once."""
    _request(experiment_id, "kill")


@app.command()
def archive(experiment_id: Id) -> None:
    """Take it out of lists; nothing else changes, and `etude experiment list --archived` shows it."""
    _request(experiment_id, "archive")


@app.command()
def unarchive(experiment_id: Id) -> None:
    """Show it in lists again."""
    _request(experiment_id, "unarchive")


@app.command()
def delete(
    experiment_ids: Annotated[list[str], typer.Argument(metavar="ID...", autocompletion=complete_experiment)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether this is meant.")] = False,
) -> None:
    """Delete experiments that are over: all that is known of them, and their checkpoints. There is no way back."""
    client = connect()
    for experiment_id in experiment_ids:
        experiment = client.api.get(f"/experiments/{experiment_id}")
        what = f"{experiment['name'] or 'no name'}, {experiment['trials']} trials, {_best(experiment)}"
        if yes or typer.confirm(f"Delete {experiment_id} ({what}) with all of its checkpoints?", abort=True):
            client.delete(experiment_id)


@app.command()
def download(
    experiment_id: Id,
    folder: Annotated[Path, typer.Argument(help="Is made; must be empty if it is there.")],
    top: Annotated[int, typer.Option(min=1, help="Of so many trials, the best ones, each in a folder trial-N.")] = 1,
) -> None:
    """Copy the best checkpoint, or those of the best trials, each file checked."""
    from etude.cli.checkpoint import fetch

    client = connect()
    if top == 1:
        fetch(client, experiment_id, client.checkpoint(experiment_id), folder)
    else:
        best = [t["trial_id"] for t in client.api.pages(f"/experiments/{experiment_id}/best-trials", limit=top)]
        found = {trial_id: client.checkpoint(experiment_id, trial_id) for trial_id in best}
        for trial_id, checkpoint in found.items():
            fetch(client, experiment_id, checkpoint, folder / f"trial-{trial_id}")
    typer.echo(str(folder))


@app.command()
def export(
    experiment_id: Id,
    to: Annotated[str, typer.Option(help="optuna, tensorboard, mlflow, csv or parquet.")],
    target: Annotated[Path | None, typer.Argument(help="Folder, or for optuna a file; by default ID.FORM.")] = None,
) -> None:
    """Write an experiment in another form: a study of optuna, event files of TensorBoard, runs of MLflow, or tables."""
    from etude.client.material import fetch_material
    from etude.export import export as write

    material = fetch_material(connect().api, experiment_id)
    typer.echo(
        str(write(material, to, target or Path(f"{experiment_id}.{'db' if to in ('optuna', 'mlflow') else to}")))
    )


@app.command("set")
def set_(
    experiment_id: Id,
    changes: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="Such as max_trials=+50.")],
) -> None:
    """Change max_trials, max_length, max_concurrent_trials, priority, weight, labels, or hyperparameters.NAME.minval.

    A completed experiment goes on if that gives it more to do.
    """
    client = connect()
    changed = client.change(experiment_id, changes)
    typer.echo(f"{experiment_id} is {changed['state']}; asked for: {' '.join(changes)}")
    _say_how_to_go_on(client, changed)


def _why_it_waits(api: Any, path: str, trials: Sequence[dict[str, Any]]) -> str:
    """The reason why none of the trials runs, if one waits."""
    waiting = [trial["trial_id"] for trial in trials if trial["state"] in ("waiting", "requested")]
    if not waiting or any(trial["state"] == "running" for trial in trials):
        return ""
    return str(api.get(f"{path}/{waiting[0]}/placement")["reason"])


def _request(experiment_id: str, verb: str) -> None:
    client = connect()
    experiment = client.request(experiment_id, verb)
    typer.echo(f"{experiment_id} is {'archived' if experiment['archived'] else experiment['state']}")
    _say_how_to_go_on(client, experiment)


def _say_how_to_go_on(client: Any, experiment: dict[str, Any]) -> None:
    """An experiment of a folder in which nothing runs waits for the next run."""
    home = client.settings.local_home
    if home is None or experiment["state"] != "active":
        return
    if not (home / "runs" / f"{experiment['experiment_id']}.sock").exists():
        elsewhere = f" --home {shlex.quote(str(home))}" if home != Path(LOCAL_HOME) else ""
        typer.echo(f"nothing trains it now; go on with: etude run --resume {experiment['experiment_id']}{elsewhere}")


def _follow(client: Any, experiment_id: str) -> None:
    told = ""
    for experiment in client.watch(experiment_id):
        line = f"{experiment['state']} {experiment['progress']:.0%}, {experiment['trials']} trials, {_best(experiment)}"
        if line != told:
            typer.echo(line)
            told = line
    raise typer.Exit(0 if experiment["state"] == "completed" else 1)


def _row(e: dict[str, Any]) -> tuple[str, ...]:
    progress, trials = f"{e['progress']:.0%}", str(e["trials"])
    return (e["experiment_id"], e["state"], progress, trials, _best(e), e["owner"], e["name"])


def _best(experiment: dict[str, Any]) -> str:
    best = experiment["best"]
    if best is None:
        return "-"
    return f"{best['metric']} = {best['value']:.6g} (trial {best['trial_id']} at {best['length']})"


def _trial_row(trial: dict[str, Any]) -> tuple[str, ...]:
    best = trial["best"]
    return (
        str(trial["trial_id"]),
        trial["state"],
        str(trial["trained"]),
        f"{best['value']:.6g}" if best else "-",
        str(best["length"]) if best else "-",
        str(trial["restarts"]),
        inline(trial["hyperparameters"]),
    )
