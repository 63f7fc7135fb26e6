"""`etude runner`: the machines of a running installation."""

import time
from typing import Annotated, Any
from urllib.parse import quote

import typer

from etude.cli.group import group
from etude.cli.output import AsCsv, AsJson, client, print_json, print_list

app = group("See the machines that train, and take them out of service.")

_PAUSE_SECONDS = 1.0
Id = Annotated[str, typer.Argument(metavar="RUNNER", help="The runner.")]
Reason = Annotated[str, typer.Option(help="Shown to whoever asks why.")]


@app.command("list")
def list_(as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """List runners: their slots, what runs there, and whether they take new trials."""
    found = [{**runner, "pool": pool["pool"]} for pool in client().api.pages("/pools") for runner in pool["runners"]]
    headings = ("runner", "pool", "state", "slots", "held", "kind", "labels", "trials", "reason")
    print_list(found, headings, _row, as_json, as_csv)


@app.command()
def logs(
    runner_id: Id,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is logged, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what a runner logged of itself: trials that begin and end there, and what is wrong with the machine."""
    api = client().api
    seen: set[tuple[str, str]] = set()
    while True:
        for line in api.pages(f"/runners/{quote(runner_id, safe='')}/logs"):
            if (key := (line["time"], line["text"])) not in seen:
                seen.add(key)
                print_json(line) if as_json else typer.echo(f"{line['time'][:19]} {line['level']:8} {line['text']}")
        if not follow:
            break
        time.sleep(_PAUSE_SECONDS)
    if not seen:
        typer.echo(f"no log of a runner {runner_id}; etude runner list shows those that there are", err=True)
        raise typer.Exit(1)


@app.command()
def disable(runner_id: Id, reason: Reason = "") -> None:
    """Give it no new trials; those that run there end by themselves."""
    client().change_runner(runner_id, enabled=False, reason=reason)


@app.command()
def drain(runner_id: Id, reason: Reason = "") -> None:
    """Give it no new trials, and move those that run there elsewhere, with a checkpoint."""
    client().change_runner(runner_id, enabled=False, drain=True, reason=reason)


@app.command()
def enable(runner_id: Id) -> None:
    """Give it trials again."""
    client().change_runner(runner_id, enabled=True)


def _row(r: dict[str, Any]) -> tuple[str, ...]:
    labels, trials = " ".join(r["labels"]), " ".join(r["trials"])
    return (
        r["runner_id"],
        r["pool"],
        r["state"],
        str(r["slots"]),
        f"{r['held']:g}",
        r["kind"],
        labels,
        trials,
        r["reason"],
    )
