"""Display: the progress of an experiment in a terminal."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from etude_standalone.system import System

_BEST_SHOWN = 5
_RUNNING_SHOWN = 12
_FAILED_SHOWN = 3
_LINES_SHOWN = 15
_MARK = {"completed": "green", "failed": "red", "rejected": "red", "canceled": "yellow"}


class Display:
    """A live view while the experiment runs, and a summary at its end.

    Parameters
    ----------
    quiet : show nothing
    """

    def __init__(self, console: Console, system: System, experiment_id: str, quiet: bool) -> None:
        self._console = console
        self._system = system
        self._experiment_id = experiment_id
        self._live = None if quiet else Live(console=console, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._console.print(f"experiment [bold]{self._experiment_id}[/bold] on {len(self._system.slots)} slots")
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    async def refresh(self, experiment: dict[str, Any]) -> None:
        """Show how it stands."""
        if self._live is None:
            return
        running, _ = await self._system.queries.trials(self._experiment_id, "running", _RUNNING_SHOWN, None)
        self._live.update(
            Group(_headline(experiment, len(running), len(self._system.slots)), _running(experiment, running))
        )

    async def summary(self, experiment: dict[str, Any], exported: Path | None) -> None:
        """Show how it ended."""
        state = experiment["state"]
        line = Text(f"{state}", style=_MARK.get(state, ""))
        line.append(f": {_count(experiment['trials'])}", style="default")
        self._console.print(line)
        if experiment["reason"]:
            self._console.print(f"reason: {experiment['reason']}", markup=False)
        best = await self._system.queries.best_trials(self._experiment_id, _BEST_SHOWN)
        if best:
            self._console.print(_best_table(experiment, best))
        await self._tell_failed_trials()
        if experiment["best"]:
            self._console.print(f"best hyperparameters (trial {experiment['best']['trial_id']})", style="italic")
            self._console.print(_best_parts(experiment["best"]))
        if exported is not None:
            self._console.print(f"checkpoint: {exported}", soft_wrap=True, markup=False, highlight=False)

    async def _tell_failed_trials(self) -> None:
        """The first few, each with its reason, and one with the end of its log."""
        errored, _ = await self._system.queries.trials(self._experiment_id, "errored", _FAILED_SHOWN, None)
        tail: list[str] = []
        for trial in errored:
            self._console.print(f"trial {trial['trial_id']} failed: {trial['detail']}", style="red", markup=False)
            if not tail:
                tail = trial["log_tail"][-_LINES_SHOWN:]
                self._console.print(Text("\n".join("  " + line for line in tail), style="dim"), soft_wrap=True)


def _headline(experiment: dict[str, Any], running: int, slots: int) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    best = experiment["best"]
    found = f"best {best['metric']} = {best['value']:.6g} (trial {best['trial_id']})" if best else "no result yet"
    grid.add_row(
        Text(experiment["state"], style="bold"),
        ProgressBar(total=1.0, completed=experiment["progress"], width=30),
        f"{experiment['progress']:4.0%}",
        _count(experiment["trials"]),
        f"{min(running, slots)}/{slots} slots busy",
        found,
    )
    return grid


def _running(experiment: dict[str, Any], trials: list[dict[str, Any]]) -> RenderableType:
    metric = experiment["metric"] or ""
    table = Table(box=None, padding=(0, 2), show_header=bool(trials), expand=True)
    for heading in ("trial", "at", "until", metric):
        table.add_column(heading, justify="right", min_width=len(heading), no_wrap=True)
    table.add_column("hyperparameters", no_wrap=True, overflow="ellipsis", ratio=1)
    for trial in trials:
        [(unit, target)] = (trial["target"] or {"batches": 0}).items()
        value = (trial["metrics"] or {}).get(metric)
        table.add_row(
            str(trial["trial_id"]),
            str(trial["length"] or 0),
            f"{target} {unit}",
            "-" if value is None else f"{value:.4g}",
            _inline(trial["hyperparameters"]),
        )
    return table


def _best_table(experiment: dict[str, Any], trials: list[dict[str, Any]]) -> Table:
    table = Table(title="best trials", title_justify="left")
    table.add_column("trial", justify="right")
    table.add_column(experiment["metric"] or "metric", justify="right")
    table.add_column("at", justify="right")
    table.add_column("state")
    table.add_column("hyperparameters", overflow="fold")
    for trial in trials:
        best = trial["best"]
        table.add_row(
            str(trial["trial_id"]),
            f"{best['value']:.6g}",
            str(best["length"]),
            trial["state"],
            _inline(trial["hyperparameters"]),
        )
    return table


def _best_parts(best: dict[str, Any]) -> RenderableType:
    table = Table(show_header=False)
    for name, value in _flat(best["hyperparameters"]).items():
        table.add_row(name, _value(value))
    return table


def _count(trials: int) -> str:
    return f"{trials} trial{'' if trials == 1 else 's'}"


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat.update(_flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value})
    return flat


def _inline(hyperparameters: dict[str, Any]) -> str:
    return " ".join(f"{name}={_value(value)}" for name, value in _flat(hyperparameters).items())


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
