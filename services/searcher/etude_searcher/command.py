"""`etude preview-search`: a search without training."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def preview_search(
    config: Annotated[Path, typer.Argument(help="Experiment configuration (YAML).")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how many trials a search trains how long, before anything runs.

    Every made-up result is the same; real ones change who is promoted, and with stopping also how many.
    """
    from etude.config import ConfigError, load
    from etude_searcher.plugins import UnknownPluginError
    from etude_searcher.preview import preview

    try:
        checked = load(config)
        shown = preview(checked)
    except (ConfigError, UnknownPluginError, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    if as_json:
        sys.stdout.write(json.dumps(shown.to_json()) + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 120)
    brackets = any(group.bracket for group in shown.groups)
    table = Table(
        *(["bracket"] if brackets else []), "trials", f"trained to ({shown.unit})", "length", "of all", box=None
    )
    for group in shown.groups:
        length = group.count * group.lengths[-1]
        table.add_row(
            *([str(group.bracket)] if brackets else []),
            str(group.count),
            " → ".join(map(str, group.lengths)),
            str(length),
            f"{length / shown.total_length:.0%}",
        )
    console.print(f"{checked.searcher.name}: {sum(group.count for group in shown.groups)} trials")
    console.print(table)
    full = shown.total_length / shown.longest
    console.print(
        f"in all {shown.total_length} {shown.unit}: as much as {full:.3g} trials of {shown.longest} {shown.unit}"
    )
