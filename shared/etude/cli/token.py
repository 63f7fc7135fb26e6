"""`etude token`: who may ask the API, for admins."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from etude.cli.group import group
from etude.cli.output import AsCsv, AsJson, client, print_json, print_list

app = group("Let people and programs in, and out again.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose it is; what is done with it is done in this name.")],
    role: Annotated[str, typer.Option(help="viewer, editor (may make and steer experiments) or admin.")] = "viewer",
    days: Annotated[int | None, typer.Option(help="It ends after so many; by default never.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it, this once. Its owner sets ETUDE_TOKEN to it."""
    made = client().api.send("POST", "/tokens", name=name, role=role, days=days)
    if as_json:
        print_json(made)
    else:
        typer.echo(made["token"])


@app.command("list")
def list_(as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """List tokens, without their secrets."""
    found = list(client().api.pages("/tokens"))
    print_list(found, ("id", "name", "role", "made", "ends", "revoked"), _row, as_json, as_csv)


@app.command()
def revoke(token_id: Annotated[str, typer.Argument(metavar="ID", help="As etude token list shows it.")]) -> None:
    """Let it in no more."""
    client().api.send("DELETE", f"/tokens/{quote(token_id, safe='')}")


def _row(token: dict[str, Any]) -> tuple[str, ...]:
    made, ends, revoked = ((token[f"{name}_at"] or "-")[:19] for name in ("created", "expires", "revoked"))
    return (token["token_id"], token["name"], token["role"], made, ends, revoked)
