"""`etude api`: any question or command of the API."""

import json
from typing import Annotated

import typer

from etude.cli.output import client, print_json


def api(
    path: Annotated[str, typer.Argument(help="Below /api/v1, such as /experiments/ID/rungs or /experiments?limit=5.")],
    method: Annotated[str, typer.Option("--method", "-X", help="POST, PATCH or DELETE for commands.")] = "GET",
    data: Annotated[str, typer.Option("--data", "-d", help="A JSON object to send.")] = "{}",
) -> None:
    """Ask the API for anything that it tells or does, and print the JSON of its answer. /docs shows what there is."""
    try:
        body = json.loads(data)
    except ValueError as error:
        raise typer.BadParameter(f"{data!r} is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise typer.BadParameter(f"{data!r} is no JSON object")
    answer = client().api.send(method.upper(), path if path.startswith("/") else f"/{path}", **body)
    if answer is not None:
        print_json(answer)
