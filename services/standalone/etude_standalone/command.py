"""The `etude run` and `etude trial test` commands."""

import asyncio
import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from etude.home import LOCAL_HOME


def run(
    config: Annotated[Path | None, typer.Argument(help="Experiment configuration (YAML).")] = None,
    model_dir: Annotated[Path | None, typer.Argument(help="Folder with the model's code.")] = None,
    slots: Annotated[
        int | None, typer.Option(min=1, help="Trials at a time; default: every GPU, or every core.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object at the end, and nothing else.")
    ] = False,
    resume: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on with an experiment that was interrupted.")
    ] = None,
    home: Annotated[Path, typer.Option(envvar="ETUDE_HOME", help="Folder for everything that is kept.")] = Path(
        LOCAL_HOME
    ),
) -> None:
    """Tune on this machine alone: all services in one process, nothing to install.

    Ctrl-C or SIGTERM pauses the experiment: its trials save checkpoints. Ctrl-C again leaves at once.
    """
    from etude.artifacts import ArtifactError
    from etude.config import ConfigError
    from etude.service.logs import log_quietly
    from etude_standalone.session import InterruptedEarlyError, Session, StuckError, UnknownExperimentError

    if resume is None and (config is None or model_dir is None):
        raise typer.BadParameter("give CONFIG and MODEL_DIR, or --resume ID")
    log_quietly()
    session = Session(home.resolve(), slots, quiet=as_json)
    try:
        outcome = asyncio.run(session.run(config, model_dir, resume))
    except (ConfigError, ArtifactError, StuckError, UnknownExperimentError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    except InterruptedEarlyError as interrupted:
        typer.echo(str(interrupted), err=True)
        raise typer.Exit(130) from None
    if as_json:
        sys.stdout.write(json.dumps(outcome.to_json()) + "\n")
    raise typer.Exit(outcome.exit_code)


def try_out(
    model_dir: Annotated[Path, typer.Argument(help="Folder with the model's code.")],
    config: Annotated[Path, typer.Option(help="Experiment configuration (YAML).")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run one batch of everything on this machine: train, validate, save, and go on from the checkpoint."""
    from etude.artifacts import ArtifactError
    from etude.config import ConfigError, load
    from etude.service.logs import log_quietly
    from etude_standalone.rehearsal import rehearse

    log_quietly()
    with tempfile.TemporaryDirectory(prefix="etude-test-") as home:
        try:
            report = asyncio.run(rehearse(load(config), model_dir, Path(home)))
        except (ConfigError, ArtifactError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
    if as_json:
        sys.stdout.write(json.dumps(dataclasses.asdict(report)) + "\n")
    else:
        typer.echo(f"hyperparameters: {json.dumps(report.hyperparameters)}")
        for what in report.passed:
            typer.echo(f"works: {what}")
        if report.failed:
            typer.echo(f"fails: {report.failed}: {report.detail}")
            typer.echo("".join(f"  {line}\n" for line in report.log_tail), nl=False)
        else:
            typer.echo(f"metrics: {json.dumps(report.metrics)}")
    raise typer.Exit(1 if report.failed else 0)
