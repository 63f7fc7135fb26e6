"""`etude experiment decisions|replay|what-if`: a recorded search looked at again."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

Id = Annotated[str, typer.Argument(metavar="ID", help="The experiment.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def decisions(
    experiment_id: Id,
    trial: Annotated[int | None, typer.Option(help="Only what is about this trial.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show every decision: what led to it, what was decided, and why."""
    from etude_searcher.hindsight import told
    from etude_searcher.journal import recorded_decision

    api = _api()
    metric = api.get(f"/experiments/{experiment_id}")["metric"] or ""
    for document in _log(api, experiment_id):
        if trial is not None and trial not in _trials(document):
            continue
        if as_json:
            sys.stdout.write(json.dumps(document) + "\n")
            continue
        typer.echo(f"{document['seq']:>6}  {told(recorded_decision(document), metric)}")
        for reason in document["reasons"]:
            typer.echo(f"        {reason}")


def replay(experiment_id: Id, as_json: AsJson = False) -> None:
    """Run the log through the engine again, and report the first difference, or that there is none."""
    from etude_searcher.hindsight import replay as run_again
    from etude_searcher.journal import recorded_decision

    log = [recorded_decision(document) for document in _log(_api(), experiment_id)]
    difference = run_again(log)
    if as_json:
        found = None if difference is None else {"seq": difference.seq}
        sys.stdout.write(json.dumps({"decisions": len(log), "difference": found}) + "\n")
    elif difference is None:
        typer.echo(f"{len(log)} decisions, made again without a difference")
    else:
        typer.echo(f"decision {difference.seq} is made differently now")
        for name, events in (("recorded", difference.recorded), ("now", difference.replayed)):
            for event in events:
                typer.echo(f"  {name}: {event.type} {json.dumps(event.to_json())}")
    raise typer.Exit(0 if difference is None else 1)


def what_if(
    experiment_id: Id,
    config: Annotated[Path, typer.Option(help="Configuration with another searcher (YAML).")],
    workers: Annotated[int, typer.Option(min=1, help="Trials that train at a time.")] = 8,
    as_json: AsJson = False,
) -> None:
    """Let another search decide on the learning curves recorded so far."""
    from etude.config import load
    from etude_searcher.hindsight import curves_of
    from etude_searcher.hindsight import what_if as look

    other = load(config)
    api = _api()
    experiment = api.get(f"/experiments/{experiment_id}")
    trials = {t["trial_id"]: t for t in api.pages(f"/experiments/{experiment_id}/trials")}
    metric = other.searcher.metric
    items = api.pages(f"/experiments/{experiment_id}/learning-curves", metric=metric)
    curves = curves_of(items, {number: trial["hyperparameters"] for number, trial in trials.items()})
    found = look(other, curves, workers)
    if as_json:
        sys.stdout.write(json.dumps(asdict(found)) + "\n")
        return
    best = experiment["best"]
    trained = sum(trial["length"] or 0 for trial in trials.values())
    typer.echo(f"as it was:  {len(trials)} trials, {trained} {found.unit} in all, best {_best(best)}")
    shown = f"{metric} = {found.best:.6g} (trial {found.best_trial})" if found.best is not None else "none"
    typer.echo(f"what if:    {found.trials} trials, {found.total_length} {found.unit} in all, best {shown}")
    if found.guessed:
        typer.echo(
            f"{found.guessed} of {found.results} results are at lengths that were not recorded; the longest below "
            "stands for each of them"
        )
    if found.missing:
        typer.echo(f"it stopped where trial {len(curves) + 1} was asked for: {len(curves)} curves were recorded")


def _best(best: dict[str, Any] | None) -> str:
    return f"{best['metric']} = {best['value']:.6g} (trial {best['trial_id']})" if best else "none"


def _api() -> Any:
    from etude.client import Client

    return Client().api


def _log(api: Any, experiment_id: str) -> Any:
    """The documents of the log, with the ids that the engine does not need left empty."""
    for document in api.pages(f"/experiments/{experiment_id}/decisions", limit=500):
        yield {**document, "cause": {"id": document["cause"].get("id", ""), **document["cause"]}}


def _trials(document: dict[str, Any]) -> set[int]:
    told = [document["cause"], *document["events"]]
    return {event["data"]["trial_id"] for event in told if "trial_id" in event["data"]}
