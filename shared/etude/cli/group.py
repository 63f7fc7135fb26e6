"""Groups whose commands may be shortened to what only one of them begins with: `etude e ls`."""

from typing import Any

import typer
from typer.core import TyperGroup

_SAID_OTHERWISE = {"ls": "list", "rm": "delete", "cat": "logs", "t": "trial"}


class Group(TyperGroup):
    """A group of commands, by name, unique beginning or habit."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # of typer's own click, or of the one beside it
        """The command that is meant; fails if there are several."""
        found = super().get_command(ctx, cmd_name)
        if found is not None:
            return found
        wanted = _SAID_OTHERWISE.get(cmd_name, cmd_name)
        fitting = [name for name in self.list_commands(ctx) if name.startswith(wanted)]
        if len(fitting) > 1 and wanted not in fitting:
            ctx.fail(f"{cmd_name!r} may be {', '.join(fitting)}")
        return super().get_command(ctx, wanted if wanted in fitting else fitting[0]) if fitting else None


def group(about: str) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(no_args_is_help=True, help=about, cls=Group)
