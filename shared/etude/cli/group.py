"""Groups whose commands may be shortened to what only one of them begins with: `etude e ls`."""

import os
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

_SAID_OTHERWISE = {"ls": "list", "rm": "delete", "cat": "logs", "t": "trial"}


class Group(TyperGroup):
    """A group of commands, by name, unique beginning or habit."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # of typer's own click, or of the one beside it
        """The command that is meant; fails if there are several."""
        found = super().get_command(ctx, cmd_name)
        if found is not None:
            return _with_home(found)
        wanted = _SAID_OTHERWISE.get(cmd_name, cmd_name)
        fitting = [name for name in self.list_commands(ctx) if name.startswith(wanted)]
        if len(fitting) > 1 and wanted not in fitting:
            ctx.fail(f"{cmd_name!r} may be {', '.join(fitting)}")
        if not fitting:
            return None
        return _with_home(super().get_command(ctx, wanted if wanted in fitting else fitting[0]))


def _with_home(command: Any) -> Any:
    """A command that takes ``--home``: the folder of `etude run` that it is about."""
    if not isinstance(command, TyperGroup) and all(parameter.name != "home" for parameter in command.params):
        command.params.append(_home_option())
    return command


def _home_option() -> Any:
    """The option, made as typer makes options of its version."""
    maker = typer.Typer(add_completion=False)
    maker.command()(_take_home)
    [option] = [parameter for parameter in typer.main.get_command(maker).params if parameter.name == "home"]
    option.expose_value = False
    return option


def _remember_home(value: str | None) -> str | None:
    if value is not None:
        os.environ["ETUDE_HOME"] = value
    return value


def _take_home(
    home: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            is_eager=True,
            callback=_remember_home,
            help="Folder of etude run that is asked, instead of an installation. Default: .etude, if it is here and "
            "no ETUDE_API_URL is set.",
        ),
    ] = None,
) -> None:
    """Any command."""


def group(about: str) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(no_args_is_help=True, help=about, cls=Group)
