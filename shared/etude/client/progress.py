"""Progress: an experiment as it goes on, as a bar in a terminal or a notebook."""

from collections.abc import Iterable
from typing import Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn


def best_so_far(experiment: dict[str, Any]) -> str:
    """The best result in words."""
    best = experiment["best"]
    if best is None:
        return "no result yet"
    return f"{best['metric']} = {best['value']:.6g} (trial {best['trial_id']} at {best['length']})"


def show_progress(states: Iterable[dict[str, Any]]) -> None:
    """Show a bar until there are no more states."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[best]}")) as bar:
        task = bar.add_task("", total=1.0, best="")
        for experiment in states:
            name = experiment["name"] or experiment["experiment_id"]
            said = f"{name}: {experiment['state']}, {experiment['trials']} trials"
            bar.update(task, completed=experiment["progress"], description=said, best=best_so_far(experiment))
