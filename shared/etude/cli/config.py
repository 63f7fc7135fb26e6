"""`etude config`: configurations without running them."""

import json
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etude.cli.group import group

if TYPE_CHECKING:
    from etude.config import ExperimentConfig, Problem

app = group("Check experiment configurations.")


@app.command()
def check(
    config: Annotated[Path, typer.Argument(help="Experiment configuration (YAML).")],
    model_dir: Annotated[
        Path | None, typer.Argument(help="Folder with the model's code, of which the entrypoint is imported.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the checked configuration, or its mistakes, as JSON.")
    ] = False,
) -> None:
    """Report every mistake of a configuration with its place, or that there is none; draw from it once."""
    from etude.config import ConfigError, load

    try:
        checked = load(config)
        if problems := look_closer(checked, model_dir):
            raise ConfigError(problems, str(config))
    except ConfigError as error:
        if as_json:
            found = [{"path": p.path, "line": p.line, "message": p.message} for p in error.problems]
            sys.stdout.write(json.dumps({"valid": False, "errors": found}) + "\n")
        else:
            typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    if as_json:
        told = {"valid": True, "config": checked.to_json(), "warnings": checked.warnings}
        sys.stdout.write(json.dumps(told) + "\n")
        return
    typer.echo(f"{config} is fine: {checked.searcher.name} search for {checked.searcher.metric}")
    for warning in checked.warnings:
        typer.echo(f"warning: {warning}")


def look_closer(config: "ExperimentConfig", model_directory: Path | None) -> "list[Problem]":
    """What only a draw, or an import of the model, shows; the distributions that can look are asked."""
    from etude.artifacts import check_model_directory
    from etude.config import ConfigError

    if model_directory is not None:
        try:
            check_model_directory(model_directory, config)
        except ConfigError as error:
            return error.problems
    checks = sorted(entry_points(group="etude.config_checks"), key=lambda check: check.name)
    return [problem for check in checks for problem in check.load()(config, model_directory)]


@app.callback()
def _group() -> None: ...
