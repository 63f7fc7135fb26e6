"""`etude trial`: single trials of a running installation."""

import time
from typing import Annotated, Any

import typer

from etude.cli.group import group
from etude.cli.output import AsJson, client, print_json

app = group("Look into single trials.")

_OVER = ("finished", "stopped", "errored", "invalid-hyperparameters", "canceled", "killed")
_PAUSE_SECONDS = 0.5


@app.command()
def logs(
    experiment_id: Annotated[str, typer.Argument(metavar="EXPERIMENT")],
    trial_id: Annotated[int, typer.Argument(metavar="TRIAL")],
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


def _readable(line: dict[str, Any]) -> str:
    rank = f"[rank {line['rank']}] " if line["rank"] else ""
    return f"{line['time'][:19]} {rank}{line['text']}"
