"""Timeline: which slot ran which trial when, with the gaps in between."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import plotly.graph_objects as go

from etude.figures.look import figure, nothing, scatter
from etude.material import Document, Material

_ENDS = {
    "finished": ("to its end", "#2a9d8f"),
    "released": ("until the search's decision", "#4c78a8"),
    "preempted": ("preempted", "#e9a23b"),
    "failed": ("failed", "#e4572e"),
    "invalid-hyperparameters": ("failed", "#e4572e"),
    "lost": ("lost", "#b5179e"),
    "running": ("runs now", "#90be6d"),
}
_BORDER = {"symbol": "line-ns", "size": 12, "line": {"width": 1, "color": "white"}}  # between two trials


def timeline(material: Material) -> go.Figure:
    """A line for each slot; what is blank was not used by this experiment."""
    if not material.allocations:
        return nothing("Nothing has run yet.")
    now = datetime.now(UTC).isoformat()
    latest: dict[int, int] = {}
    for a in material.allocations:
        latest[a["trial_id"]] = max(latest.get(a["trial_id"], 0), a["lease_number"])
    groups: dict[str, list[Document]] = {}
    for a in material.allocations:
        lost = a["ended"] is None and a["lease_number"] < latest[a["trial_id"]]
        groups.setdefault(a["reason"] or ("lost" if lost else "running"), []).append(a)
    traces = [_bars(*_ENDS.get(reason, (reason, "#6c757d")), drawn, now) for reason, drawn in sorted(groups.items())]
    slots = sorted({slot for a in material.allocations for slot in _slots(a)}, reverse=True)
    made = figure(traces, "time", "", height=max(300, 60 + 22 * len(slots)))
    made.update_yaxes(type="category", categoryorder="array", categoryarray=slots)
    made.update_xaxes(type="date")
    return made


def _bars(name: str, colour: str, drawn: Sequence[Document], now: str) -> Any:
    x: list[str | None] = []
    y: list[str | None] = []
    text: list[str] = []
    for a in drawn:
        for slot in _slots(a):
            x += [a["began"], a["ended"] or now, None]
            y += [slot, slot, None]
            text += [f"trial {a['trial_id']}, lease {a['lease_number']}: {name}"] * 3
    return scatter(
        x=x, y=y, text=text, mode="lines+markers", name=name, line={"width": 12, "color": colour}, marker=_BORDER
    )


def _slots(allocation: Document) -> list[str]:
    return [f"{allocation['runner_id']}/{slot}" for slot in allocation["slots"]] or [str(allocation["runner_id"])]
