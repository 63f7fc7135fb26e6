"""Timeline: which slot ran which trial when, with the gaps in between."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import plotly.graph_objects as go

from etude.figures.chosen import latest
from etude.figures.look import figure, nothing, scatter
from etude.figures.register import LATEST
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
    leases: dict[int, int] = {}
    for a in material.allocations:
        leases[a["trial_id"]] = max(leases.get(a["trial_id"], 0), a["lease_number"])
    some = material.allocations[-LATEST:]
    groups: dict[str, list[Document]] = {}
    for a in some:
        lost = a["ended"] is None and a["lease_number"] < leases[a["trial_id"]]
        groups.setdefault(a["reason"] or ("lost" if lost else "running"), []).append(a)
    slots = sorted({slot for a in some for slot in _slots(a)}, reverse=True)
    rows = {slot: row for row, slot in enumerate(slots)}
    traces = [
        _bars(*_ENDS.get(reason, (reason, "#6c757d")), drawn, now, rows) for reason, drawn in sorted(groups.items())
    ]
    made = figure(traces, "time", "", height=max(300, 60 + 22 * len(slots)))
    made.update_yaxes(tickvals=list(rows.values()), ticktext=slots, range=[-0.7, len(slots) - 0.3])
    made.update_xaxes(type="date")
    return latest(made, len(some), "runs")


def _bars(name: str, colour: str, drawn: Sequence[Document], now: str, rows: Mapping[str, int]) -> Any:
    bars = [(a, rows[slot]) for a in drawn for slot in _slots(a)]
    x = [t for a, _ in bars for t in (_milliseconds(a["began"]), _milliseconds(a["ended"] or now), np.nan)]
    about = [(a["trial_id"], a["lease_number"]) for a, _ in bars]
    return scatter(
        x=np.array(x),
        y=np.repeat([row for _, row in bars], 3),
        customdata=np.repeat(np.array(about), 3, axis=0),
        hovertemplate=f"trial %{{customdata[0]}}, lease %{{customdata[1]}}: {name}<br>%{{x}}",
        mode="lines+markers",
        name=name,
        line={"width": 12, "color": colour},
        marker=_BORDER,
    )


def _milliseconds(time: str) -> float:
    """Since 1970, as plotly counts."""
    return datetime.fromisoformat(time).timestamp() * 1000


def _slots(allocation: Document) -> list[str]:
    return [f"{allocation['runner_id']}/{slot}" for slot in allocation["slots"]] or [str(allocation["runner_id"])]
