"""`etude admin`: what went wrong inside an installation, and how to put it right."""

import base64
import json
import sys
from importlib.metadata import entry_points
from typing import Annotated, Any
from urllib.parse import quote

import typer

from etude.cli.group import group
from etude.cli.output import AsCsv, AsJson, client, complete_experiment, print_json, print_list

app = group("Look after an installation: events that failed, and checks of what is stored.")
letters = group("Events that could not be processed. They wait here until they are replayed or dropped.")
app.add_typer(letters, name="dead-letters")
for _command in entry_points(group="etude.admin_commands"):  # what needs the code of several services
    app.command(_command.name)(_command.load())

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="As etude admin dead-letters list shows it.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


@letters.command("list")
def list_(as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """List events that could not be processed, the latest first, with the reasons."""
    found = list(client().api.pages("/dead-letters"))
    print_list(found, ("id", "died", "times", "queue", "experiment", "type", "reason"), _row, as_json, as_csv)


@letters.command()
def show(letter_id: Annotated[str, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """Show one event with its body."""
    letter = client().api.get(f"/dead-letters/{quote(letter_id, safe='')}")
    if as_json:
        print_json(letter)
        return
    for name in ("letter_id", "at", "deaths", "queue", "type", "experiment_id", "source", "reason"):
        typer.echo(f"{name.removesuffix('_id'):<10} {letter[name] if letter[name] is not None else '-'}")
    typer.echo(_readable(letter["body"]))


@letters.command()
def replay(ids: Ids = None, everything: All = False) -> None:
    """Put events back into the queues that they were taken from, once what they failed on is mended."""
    api = client().api
    for letter_id in _chosen(api, ids, everything):
        api.send("POST", f"/dead-letters/{quote(letter_id, safe='')}/replay")
        typer.echo(f"{letter_id} is back in its queue")


@letters.command()
def drop(ids: Ids = None, everything: All = False) -> None:
    """Forget events for good."""
    api = client().api
    for letter_id in _chosen(api, ids, everything):
        api.send("DELETE", f"/dead-letters/{quote(letter_id, safe='')}")
        typer.echo(f"{letter_id} is dropped")


@app.command()
def resync(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[EXPERIMENT]...", autocompletion=complete_experiment),
    ] = None,
    everything: All = False,
) -> None:
    """Have the searcher publish all decisions of experiments again, for services that lost some of them."""
    api = client().api
    if everything:
        experiments = [experiment["experiment_id"] for experiment in api.pages("/experiments")]
    if not experiments:
        raise typer.BadParameter("name experiments, or say --all")
    for experiment_id in experiments:
        api.send("POST", f"/resync/{quote(experiment_id, safe='')}")
        typer.echo(f"{experiment_id}: its decisions are being published again")


def _chosen(api: Any, ids: list[str] | None, everything: bool) -> list[str]:
    if everything:
        return [letter["letter_id"] for letter in api.pages("/dead-letters")]
    if not ids:
        raise typer.BadParameter("name dead letters, or say --all")
    return ids


def _row(letter: dict[str, Any]) -> tuple[str, ...]:
    return (
        letter["letter_id"],
        letter["at"][:19],
        str(letter["deaths"]),
        letter["queue"].removeprefix("etude."),
        letter["experiment_id"] or "-",
        (letter["type"] or "-").removeprefix("etude."),
        letter["reason"],
    )


def _readable(body: dict[str, str]) -> str:
    if "text" not in body:
        return base64.b64decode(body["base64"]).decode(sys.stdout.encoding or "utf-8", errors="backslashreplace")
    try:
        return json.dumps(json.loads(body["text"]), indent=2)
    except ValueError:
        return body["text"]
