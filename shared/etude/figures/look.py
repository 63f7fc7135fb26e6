"""Look: what all figures have in common."""

from collections.abc import Iterable
from typing import Any

import plotly.graph_objects as go

RUNGS = ("#adb5bd", "#8d99ae", "#4c78a8", "#2a9d8f", "#e9a23b", "#b5179e", "#6a4c93")
"""Below the first rung, on it, and so on."""
TOP = "#e4572e"
"""On the highest."""
FATES = {
    "promoted": "#4c78a8",
    "finished": "#2a9d8f",
    "running": "#90be6d",
    "waiting": "#8d99ae",
    "requested": "#8d99ae",
    "paused": "#e9a23b",
    "stopped": "#b08968",
    "errored": "#e4572e",
    "invalid-hyperparameters": "#e4572e",
    "canceled": "#6c757d",
    "killed": "#6c757d",
}
_MANY = 1000
_WIDE = 100.0


def figure(traces: Iterable[Any], x: str, y: str, **layout: Any) -> go.Figure:
    """A figure with titles on its axes."""
    made = go.Figure(list(traces))
    made.update_layout(
        xaxis_title=x,
        yaxis_title=y,
        margin={"l": 60, "r": 20, "t": 40, "b": 50},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="closest",
        template="plotly_white",
        **layout,
    )
    return made


def nothing(why: str) -> go.Figure:
    """A figure that says why there is nothing to see."""
    made = figure([], "", "")
    made.update_layout(xaxis={"visible": False}, yaxis={"visible": False})
    made.add_annotation(text=why, showarrow=False, font={"size": 14}, x=0.5, y=0.5, xref="paper", yref="paper")
    return made


def scale(values: Iterable[float | None]) -> str:
    """``log`` for positive values that differ by orders of magnitude, else ``linear``.

    >>> scale([0.001, 1.0]), scale([1.0, 2.0]), scale([-1.0, 1000.0])
    ('log', 'linear', 'linear')
    """
    numbers = [value for value in values if value is not None]
    return "log" if numbers and min(numbers) > 0 and max(numbers) / min(numbers) >= _WIDE else "linear"


def scatter(**fields: Any) -> Any:
    """A scatter; one of many points is drawn by the graphics card, of which a page can use but a few at a time."""
    return go.Scattergl(**fields) if len(fields["x"]) > _MANY else go.Scatter(**fields)


def with_webgl(made: go.Figure) -> go.Figure:
    """Draw scatters of many points by the graphics card."""
    return go.Figure([_by_webgl(trace) for trace in made.data], made.layout)


def _by_webgl(trace: Any) -> Any:
    if trace.type != "scatter" or trace.x is None or len(trace.x) <= _MANY:
        return trace
    fields = trace.to_plotly_json()
    del fields["type"]
    return go.Scattergl(fields)
