"""The `etude` command and its groups."""

from etude.cli.startup import begin_startup, end_startup  # isort: split

import sys
from importlib.metadata import entry_points

import typer

from etude import __version__
from etude.cli import admin, api, checkpoint, config, experiment, runner, scheduler, token, trial
from etude.cli.group import Group
from etude.errors import Failure

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Tune the hyperparameters of your models. Commands may be shortened: etude e ls.",
    cls=Group,
)
app.add_typer(experiment.app, name="experiment")
app.add_typer(config.app, name="config")
app.add_typer(trial.app, name="trial")
app.add_typer(checkpoint.app, name="checkpoint")
app.add_typer(runner.app, name="runner")
app.add_typer(scheduler.app, name="scheduler")
app.add_typer(token.app, name="token")
app.add_typer(admin.app, name="admin")
app.command()(api.api)
for _command in entry_points(group="etude.commands"):  # `run`, if the standalone distribution is installed
    app.command(_command.name)(_command.load())
for _command in entry_points(group="etude.trial_commands"):  # what needs a machine to train on
    trial.app.command(_command.name)(_command.load())
for _command in entry_points(group="etude.experiment_commands"):  # what needs the searcher's code
    experiment.app.command(_command.name)(_command.load())
end_startup()


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None: ...


def main() -> None:
    """Run the command line; errors that have a remedy are one message, not a traceback."""
    begin_startup()
    from etude.service.logs import log_quietly

    end_startup()
    log_quietly()
    try:
        app()
    except Failure as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
