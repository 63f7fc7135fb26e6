"""`etude scheduler`: who gets which slots, and why."""

from typing import Annotated

import typer

from etude.cli.group import group
from etude.cli.output import AsJson, client, print_json, print_table

app = group("See who holds the slots, and why a trial is not running.")


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show what each experiment holds of its pool, and why it holds no more."""
    pools = list(client().api.pages("/pools"))
    if as_json:
        print_json(pools)
        return
    for pool in pools:
        slots = sum(runner["slots"] for runner in pool["runners"])
        typer.echo(f"pool {pool['pool']}: {slots} slots on {len(pool['runners'])} runners, by {pool['policy']}")
        print_table(
            ("experiment", "weight", "priority", "held", "waiting", "why"),
            [
                (
                    claim["experiment_id"],
                    f"{claim['weight']:g}",
                    str(claim["priority"]),
                    f"{claim['held']:g}",
                    str(claim["waiting"]),
                    claim["reason"],
                )
                for claim in pool["claims"]
            ],
        )


@app.command()
def explain(
    trial: Annotated[str, typer.Argument(metavar="EXPERIMENT/TRIAL", help="Such as 0f3c2a/17.")],
    as_json: AsJson = False,
) -> None:
    """Say where a trial runs, or why it does not."""
    experiment_id, _, number = trial.rpartition("/")
    if not experiment_id or not number.isdigit():
        raise typer.BadParameter(f"{trial!r} is no trial; name the experiment and the number, such as 0f3c2a/17")
    placement = client().api.get(f"/experiments/{experiment_id}/trials/{number}/placement")
    if as_json:
        print_json(placement)
    else:
        typer.echo(f"trial {number} is {placement['state']}: {placement['reason']}")
