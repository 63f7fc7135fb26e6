"""Live: an experiment in the terminal, drawn again as it changes."""

from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from etude.client import Client
from etude.client.progress import best_so_far
from etude.values import inline

_MINE = ("experiment_id", "name", "state", "owner", "reason", "refused")


def watch_live(client: Client, experiment_id: str, trials: int) -> dict[str, Any]:
    """Show it until its end; returns it as it ended.

    Parameters
    ----------
    trials : how many of the best to show
    """
    last: dict[str, Any] = {}
    with Live(refresh_per_second=4) as live:
        for last in client.watch(experiment_id):
            best = client.api.get(f"/experiments/{experiment_id}/best-trials", limit=trials)["items"]
            live.update(picture(last, best))
    return last


def picture(experiment: dict[str, Any], trials: list[dict[str, Any]]) -> RenderableType:
    """What is shown of an experiment and its best trials."""
    facts = Table.grid(padding=(0, 2))
    for name in _MINE:
        if experiment[name]:
            facts.add_row(Text(name.replace("experiment_", ""), style="dim"), Text(str(experiment[name])))
    states = ", ".join(f"{count} {state}" for state, count in sorted(experiment["trial_states"].items()))
    facts.add_row(Text("trials", style="dim"), Text(states or "none yet"))
    facts.add_row(Text("best", style="dim"), Text(best_so_far(experiment)))
    facts.add_row(Text("progress", style="dim"), ProgressBar(1.0, experiment["progress"], width=40))
    headings = ("trial", "state", "trained", experiment["metric"] or "best", "best at", "hyperparameters")
    table = Table(*headings, box=None, padding=(0, 2, 0, 0))
    for trial in trials:
        best, drawn = trial["best"], inline(trial["hyperparameters"])
        cells = (trial["trial_id"], trial["state"], trial["trained"], f"{best['value']:.6g}", best["length"], drawn)
        table.add_row(*map(Text, map(str, cells)))
    return Group(facts, "", table)
