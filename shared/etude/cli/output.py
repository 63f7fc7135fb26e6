"""What all commands share: a client, tables for people, JSON and CSV for programs."""

import csv
import json
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV, with a line of titles.")]


def client() -> Any:
    """A client of the running installation; imported when it is needed."""
    from etude.client import Client

    return Client()


def print_list(
    found: Sequence[dict[str, Any]],
    headings: tuple[str, ...],
    row: Callable[[dict[str, Any]], tuple[str, ...]],
    as_json: bool,
    as_csv: bool,
) -> None:
    """A list in the form that was asked for; a table has the same columns as CSV, JSON has all fields."""
    if as_json:
        print_json(found)
    elif as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows([headings, *map(row, found)])
    else:
        print_table(headings, [row(item) for item in found])


def complete_experiment(incomplete: str) -> list[tuple[str, str]]:
    """For the shell: ids that begin so, with their names; nothing if nobody answers."""
    from etude.client import ApiError

    try:
        found = client().api.get("/experiments", text=incomplete)["items"]
    except ApiError:
        return []
    return [(e["experiment_id"], e["name"]) for e in found if e["experiment_id"].startswith(incomplete)]


def print_table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table, as wide as the terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*headings, box=None)
    for row in rows:
        table.add_row(*map(Text, row))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def print_json(value: Any) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(value) + "\n")
