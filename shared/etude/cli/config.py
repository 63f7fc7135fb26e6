"""`etude config`: configurations without running them."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from etude.cli.group import group

app = group("Check experiment configurations.")


@app.command()
def check(
    config: Annotated[Path, typer.Argument(help="Experiment configuration (YAML).")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the checked configuration, or its mistakes, as JSON.")
    ] = False,
) -> None:
    """Report every mistake of a configuration with its place, or that there is none."""
    from etude.config import ConfigError, load

    try:
        checked = load(config)
    except ConfigError as error:
        if as_json:
            found = [{"path": p.path, "line": p.line, "message": p.message} for p in error.problems]
            sys.stdout.write(json.dumps({"valid": False, "errors": found}) + "\n")
        else:
            typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    if as_json:
        sys.stdout.write(json.dumps({"valid": True, "config": checked.to_json()}) + "\n")
        return
    typer.echo(f"{config} is fine: {checked.searcher.name} search for {checked.searcher.metric}")
    ignored = checked.not_acted_upon
    if ignored:
        typer.echo(f"accepted, but not acted upon: {', '.join(ignored)}")


@app.callback()
def _group() -> None: ...
