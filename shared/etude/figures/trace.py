"""Trace: what the search decided about which trial, one decision after the other."""

import plotly.graph_objects as go

from etude.figures.chosen import latest
from etude.figures.look import figure, nothing, scatter
from etude.figures.register import LATEST
from etude.material import Material

_LONGEST = 200
_VERBS = {
    "etude.trial.requested.v1": ("begun", "#8d99ae", "circle-open"),
    "etude.trial.continued.v1": ("continued", "#2a9d8f", "triangle-up"),
    "etude.trial.paused.v1": ("paused", "#e9a23b", "square"),
    "etude.trial.closed.v1": ("closed", "#e4572e", "x"),
}


def trace(material: Material) -> go.Figure:
    """A mark for each decision about each trial; whoever points at one sees why."""
    marks: dict[str, dict[str, list[object]]] = {}
    some = material.decisions[-LATEST:]
    for decision in some:
        why = "<br>".join(decision["reasons"])[:_LONGEST]
        for told in decision["events"]:
            if told["type"] in _VERBS:
                drawn = marks.setdefault(told["type"], {"x": [], "y": [], "text": []})
                drawn["x"].append(decision["seq"])
                drawn["y"].append(told["data"]["trial_id"])
                drawn["text"].append(f"trial {told['data']['trial_id']}<br>{why}")
    if not marks:
        return nothing("Nothing has been decided yet.")
    traces = []
    for kind, (name, colour, symbol) in _VERBS.items():
        if kind in marks:
            marker = {"color": colour, "symbol": symbol, "size": 7}
            traces.append(scatter(**marks[kind], mode="markers", name=name, marker=marker))
    return latest(figure(traces, "decision", "trial"), len(some), "decisions")
