"""What all commands share: a client, tables for people, JSON for programs."""

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def client() -> Any:
    """A client of the running installation; imported when it is needed."""
    from etude.client import Client

    return Client()


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
