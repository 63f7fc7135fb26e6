"""`etude runner`: the machines of a running installation."""

from typing import Annotated

import typer

from etude.cli.output import AsJson, client, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="See the machines that train, and take them out of service.")

Id = Annotated[str, typer.Argument(metavar="RUNNER", help="The runner.")]
Reason = Annotated[str, typer.Option(help="Shown to whoever asks why.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List runners: their slots, what runs there, and whether they take new trials."""
    found = [{**runner, "pool": pool["pool"]} for pool in client().api.pages("/pools") for runner in pool["runners"]]
    if as_json:
        print_json(found)
        return
    print_table(
        ("runner", "pool", "state", "slots", "held", "kind", "labels", "trials", "reason"),
        [
            (
                r["runner_id"],
                r["pool"],
                r["state"],
                str(r["slots"]),
                f"{r['held']:g}",
                r["kind"],
                " ".join(r["labels"]),
                " ".join(r["trials"]),
                r["reason"],
            )
            for r in found
        ],
    )


@app.command()
def disable(runner_id: Id, reason: Reason = "") -> None:
    """Give it no new trials; those that run there end by themselves."""
    client().change_runner(runner_id, enabled=False, reason=reason)


@app.command()
def drain(runner_id: Id, reason: Reason = "") -> None:
    """Give it no new trials, and move those that run there elsewhere, with a checkpoint."""
    client().change_runner(runner_id, enabled=False, drain=True, reason=reason)


@app.command()
def enable(runner_id: Id) -> None:
    """Give it trials again."""
    client().change_runner(runner_id, enabled=True)
