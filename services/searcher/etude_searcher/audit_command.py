"""`etude admin audit`: reads all that is known of experiments, and reports what cannot be right."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer


def audit(
    experiments: Annotated[list[str] | None, typer.Argument(metavar="[EXPERIMENT]...")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All experiments.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that every report was decided once, that nothing is missing, and that log, documents and files agree.

    Ends with status 1 if anything is wrong. Checkpoint files are looked at where their storage is a folder of this
    machine.
    """
    from etude.cli.output import client

    api = client().api
    if everything:
        experiments = [experiment["experiment_id"] for experiment in api.pages("/experiments")]
    if not experiments:
        raise typer.BadParameter("name experiments, or say --all")
    found = {experiment_id: audit_experiment(api, experiment_id) for experiment_id in experiments}
    for experiment_id, findings in found.items():
        if as_json:
            sys.stdout.write(json.dumps({"experiment_id": experiment_id, "findings": findings}) + "\n")
            continue
        typer.echo(f"{experiment_id}: {f'{len(findings)} findings' if findings else 'nothing is wrong'}")
        for finding in findings:
            typer.echo(f"  {finding}")
    raise typer.Exit(1 if any(found.values()) else 0)


def audit_experiment(api: Any, experiment_id: str) -> list[str]:
    """What is wrong with one experiment, asked of the query API."""
    from etude_searcher.audit import Records
    from etude_searcher.audit import audit as check

    path = f"/experiments/{experiment_id}"
    trials = list(api.pages(f"{path}/trials"))
    checkpoints = [
        checkpoint for trial in trials for checkpoint in api.pages(f"{path}/trials/{trial['trial_id']}/checkpoints")
    ]
    return check(
        Records(
            experiment=api.get(path),
            decisions=[_with_id(decision) for decision in api.pages(f"{path}/decisions", limit=500)],
            trials=trials,
            validations=list(api.pages(f"{path}/validations")),
            checkpoints=checkpoints,
            allocations=list(api.pages(f"{path}/timeline")),
            dead_letters=[letter for letter in api.pages("/dead-letters") if letter["experiment_id"] == experiment_id],
            stored=stored_checkpoints([checkpoint["uri"] for checkpoint in checkpoints]),
        )
    )


def stored_checkpoints(uris: Sequence[str]) -> list[str] | None:
    """The checkpoint folders beside those that are known; None if they are not in folders of this machine.

    A folder without a manifest is none: it was never finished, or is being deleted.
    """
    from etude.artifacts.checkpoint import experiment_checkpoints
    from etude.artifacts.storage import filesystem, is_local

    roots = {uri.rsplit("/", 2)[0] for uri in uris}
    if not all(is_local(root) and Path(filesystem(root)[1]).is_dir() for root in roots):
        return None
    return [uri for root in sorted(roots) for uri in experiment_checkpoints(root)]


def _with_id(decision: Any) -> Any:
    """With the id of the cause, which the engine does not need, left empty."""
    return {**decision, "cause": {"id": decision["cause"].get("id", ""), **decision["cause"]}}
