"""Display: the progress of an experiment in a terminal, or as plain lines in a file or a pipe."""

import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from etude.values import flat, inline, show
from etude_standalone.system import System

_BEST_SHOWN = 5
_RUNNING_SHOWN = 12
_FAILED_SHOWN = 3
_LINES_SHOWN = 15
_LINE_SECONDS = 5.0
"""At least, between two plain lines."""
_IDLE_SECONDS = 5.0
"""Without a running trial, until the reason is told."""
_MARK = {"completed": "green", "failed": "red", "rejected": "red", "canceled": "yellow"}


class Display:
    """A live view while the experiment runs, and a summary at its end.

    Where nobody sees a view that changes, in a pipe or a file, it prints a line now and then when something is new.

    Parameters
    ----------
    quiet : show nothing
    elsewhere : what commands need to find the folder, such as `` --home runs``
    """

    def __init__(self, console: Console, system: System, experiment_id: str, quiet: bool, elsewhere: str = "") -> None:
        self._elsewhere = elsewhere
        self._console = console
        self._system = system
        self._experiment_id = experiment_id
        self._quiet = quiet
        live = console.is_terminal and not quiet
        self._live = Live(console=console, refresh_per_second=8, transient=True) if live else None
        self._last_line, self._line_at = "", -_LINE_SECONDS
        self._idle_since: float | None = None

    def __enter__(self) -> Self:
        if not self._quiet:
            self._console.print(f"experiment [bold]{self._experiment_id}[/bold] on {len(self._system.slots)} slots")
        if self._live is not None:
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    async def refresh(self, experiment: dict[str, Any]) -> None:
        """Show how it stands."""
        if self._quiet:
            return
        if self._live is None:
            await self._print_line(experiment)
            return
        running = await self._trials("running")
        slots, waits = len(self._system.slots), Text(await self._why_it_waits(running), style="yellow")
        self._live.update(Group(_headline(experiment, len(running), slots), _running(experiment, running), waits))

    async def _trials(self, state: str) -> list[dict[str, Any]]:
        return (await self._system.queries.trials(self._experiment_id, state, _RUNNING_SHOWN, None))[0]

    async def _why_it_waits(self, running: list[dict[str, Any]]) -> str:
        """The reason why no trial runs, if there are some and that has been so for a while."""
        if running:
            self._idle_since = None
            return ""
        now = time.monotonic()
        self._idle_since = now if self._idle_since is None else self._idle_since
        if now - self._idle_since < _IDLE_SECONDS:
            return ""
        waiting = [*await self._trials("waiting"), *await self._trials("requested")]
        return str((await self._system.queries.placement(waiting[0]))["reason"]) if waiting else ""

    async def _print_line(self, experiment: dict[str, Any]) -> None:
        """Tell how it stands, if that is new and the last line some time ago."""
        now = time.monotonic()
        if now - self._line_at < _LINE_SECONDS:
            return
        running = await self._trials("running")
        waits = await self._why_it_waits(running)
        at = ", ".join(f"{trial['trial_id']} at {trial['trained']}" for trial in running)
        line = (
            f"{experiment['state']} {experiment['progress']:.0%}, {_count(experiment['trials'])}, "
            f"{_found(experiment)}" + (f"; running: {at}" if at else f"; waiting: {waits}" if waits else "")
        )
        if line != self._last_line:
            self._last_line, self._line_at = line, now
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

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
        hint = (
            f"look at it: etude ui{self._elsewhere}, etude experiment describe {self._experiment_id}{self._elsewhere}"
        )
        if state == "completed":
            hint += f"; extend it: etude experiment set {self._experiment_id} max_trials=+10{self._elsewhere}"
        self._console.print(
            hint,
            soft_wrap=True,
            markup=False,
            highlight=False,
            style="dim",
        )

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
    grid.add_row(
        Text(experiment["state"], style="bold"),
        ProgressBar(total=1.0, completed=experiment["progress"], width=30),
        f"{experiment['progress']:4.0%}",
        _count(experiment["trials"]),
        f"{min(running, slots)}/{slots} slots busy",
        _found(experiment),
    )
    return grid


def _found(experiment: dict[str, Any]) -> str:
    best = experiment["best"]
    return f"best {best['metric']} = {best['value']:.6g} (trial {best['trial_id']})" if best else "no result yet"


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
            str(trial["trained"]),
            f"{target} {unit}",
            "-" if value is None else f"{value:.4g}",
            inline(trial["hyperparameters"]),
        )
    return table


def _best_table(experiment: dict[str, Any], trials: list[dict[str, Any]]) -> Table:
    table = Table(title="best trials", title_justify="left")
    table.add_column("trial", justify="right")
    table.add_column(experiment["metric"] or "metric", justify="right")
    table.add_column("best at", justify="right")
    table.add_column("trained", justify="right")
    table.add_column("state")
    table.add_column("hyperparameters", overflow="fold")
    for trial in trials:
        best = trial["best"]
        table.add_row(
            str(trial["trial_id"]),
            f"{best['value']:.6g}",
            str(best["length"]),
            str(trial["trained"]),
            trial["state"],
            inline(trial["hyperparameters"]),
        )
    return table


def _best_parts(best: dict[str, Any]) -> RenderableType:
    table = Table(show_header=False)
    for name, value in flat(best["hyperparameters"]).items():
        table.add_row(name, show(value))
    return table


def _count(trials: int) -> str:
    return f"{trials} trial{'' if trials == 1 else 's'}"
