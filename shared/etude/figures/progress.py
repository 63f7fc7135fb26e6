"""Progress: the best result so far, and learning curves."""

import bisect
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from etude.figures.chosen import best_trials, noted
from etude.figures.look import FATES, RUNGS, TOP, figure, nothing, scale, scatter
from etude.material import Document, Material

_LINES = 2000


def best(material: Material) -> go.Figure:
    """The best result so far, over time."""
    times = [validation["time"] for validation in material.best]
    values = [validation["metrics"].get(material.metric) for validation in material.best]
    if not times:
        return nothing("No result yet.")
    text = [f"trial {v['trial_id']} at {v['length']} {v['unit']}" for v in material.best]
    steps = go.Scatter(
        x=times, y=values, text=text, mode="lines+markers", line={"shape": "hv", "color": "#2a9d8f"}, name="best so far"
    )
    made = figure([steps], "time", material.metric)
    made.update_yaxes(type=scale(values))
    return made


def curves(material: Material) -> go.Figure:
    """The validations of every trial over length, coloured by the highest rung that it reached."""
    there, material = material, best_trials(material, _LINES)
    trials = {trial["trial_id"]: trial for trial in material.trials}
    rungs = sorted({rung for trial in material.trials for rung in trial["rungs"]})
    groups: dict[tuple[int, str, str], list[Document]] = {}
    for curve in material.curves:
        if curve["lengths"]:
            trial = trials.get(curve["trial_id"], {})
            groups.setdefault(_group(trial, rungs, curve["lengths"][-1]), []).append(curve)
    if not groups:
        return nothing("No result yet.")
    traces = [_lines(name, colour, drawn) for (_, name, colour), drawn in sorted(groups.items())]
    made = figure(traces, material.unit, material.metric)
    made.update_yaxes(type=scale(value for curve in material.curves for value in curve["values"]))
    return noted(made, len(material.curves), len(there.curves), "trials")


def _group(trial: Document, rungs: Sequence[int], length: int) -> tuple[int, str, str]:
    """Order, name and colour of the lines that a trial is drawn with: by its rung, or by its state if there is none."""
    if not rungs:
        state = str(trial.get("state", "running"))
        return 0, state, FATES.get(state, "#4c78a8")
    reached = bisect.bisect_right(rungs, length)
    name = f"reached {rungs[reached - 1]}" if reached else f"below {rungs[0]}"
    return reached, name, TOP if reached == len(rungs) else RUNGS[reached % len(RUNGS)]


def _lines(name: str, colour: str, drawn: Sequence[Document]) -> Any:
    """Many lines as one, with gaps between them."""
    x = np.concatenate([[*curve["lengths"], np.nan] for curve in drawn])
    y = np.concatenate([np.array([*curve["values"], None], dtype=float) for curve in drawn])
    trials = np.repeat([curve["trial_id"] for curve in drawn], [len(curve["lengths"]) + 1 for curve in drawn])
    return scatter(
        x=x,
        y=y,
        customdata=trials,
        hovertemplate="trial %{customdata}<br>%{y} at %{x}",
        mode="lines+markers" if len(x) < 2000 else "lines",
        name=name,
        line={"width": 1.2, "color": colour},
        marker={"size": 4},
        opacity=0.8,
    )
