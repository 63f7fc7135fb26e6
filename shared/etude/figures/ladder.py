"""Ladder: who is on which rung of which bracket, and what became of them."""

from typing import Any

import plotly.graph_objects as go

from etude.figures.chosen import chosen, noted
from etude.figures.look import FATES, figure, nothing, scale, scatter
from etude.material import Document, Material

_MARKS = 1000  # on a rung
_OVER = ("finished", "stopped", "errored", "invalid-hyperparameters", "canceled", "killed")


def rungs(material: Material) -> list[Document]:
    """Each rung of each bracket, with those that reached it, the best first, and those on the way to it."""
    curves = {curve["trial_id"]: dict(zip(curve["lengths"], curve["values"], strict=True)) for curve in material.curves}
    found: dict[tuple[int, int], dict[str, list[Document]]] = {}
    for trial in material.trials:
        lengths = sorted(trial["rungs"])
        for index, length in enumerate(lengths):
            rung = found.setdefault((trial["bracket"], length), {"trials": [], "coming": []})
            if (trial["length"] or 0) >= length:
                value = curves.get(trial["trial_id"], {}).get(length)
                entry = {"trial_id": trial["trial_id"], "value": value, "fate": _fate(trial, lengths[index + 1 :])}
                rung["trials"].append(entry)
            elif index == 0 or (trial["length"] or 0) >= lengths[index - 1]:
                if trial["state"] not in _OVER and _target(trial) >= length:
                    rung["coming"].append({"trial_id": trial["trial_id"], "state": trial["state"]})
                break
    sign = 1 if material.smaller_is_better else -1
    for rung in found.values():
        rung["trials"].sort(key=lambda e: (e["value"] is None, sign * (e["value"] or 0)))
    return [{"bracket": bracket, "length": length, **found[bracket, length]} for bracket, length in sorted(found)]


def ladder(material: Material) -> go.Figure:
    """The rungs one above the other, each with a mark for every trial that reached it, at its result."""
    found = rungs(material)
    if not found:
        return nothing("This search has no rungs.")
    several = len({rung["bracket"] for rung in found}) > 1
    marks: dict[str, dict[str, list[Any]]] = {}
    shown = there = 0
    for rung in found:
        name = f"bracket {rung['bracket'] + 1}: {rung['length']}" if several else str(rung["length"])
        some = chosen(rung["trials"], _MARKS, rank=lambda _: 0)  # the best come first
        shown, there = shown + len(some), there + len(rung["trials"])
        for entry in some:
            drawn = marks.setdefault(entry["fate"], {"x": [], "y": [], "customdata": []})
            drawn["x"].append(entry["value"])
            drawn["y"].append(name)
            drawn["customdata"].append(entry["trial_id"])
    traces = [
        scatter(
            **drawn,
            hovertemplate=f"trial %{{customdata}}: {fate}<br>%{{x}}",
            mode="markers",
            name=fate,
            marker={"size": 9, "color": FATES[fate], "opacity": 0.75},
        )
        for fate, drawn in sorted(marks.items())
    ]
    made = figure(traces, material.metric, material.unit)
    names = [f"bracket {r['bracket'] + 1}: {r['length']}" if several else str(r["length"]) for r in found]
    made.update_yaxes(type="category", categoryorder="array", categoryarray=names)
    made.update_xaxes(type=scale(entry["value"] for rung in found for entry in rung["trials"]))
    return noted(made, shown, there, "results")


def _fate(trial: Document, above: list[int]) -> str:
    """What became of a trial after a rung."""
    if above and ((trial["length"] or 0) >= above[0] or _target(trial) >= above[0]):
        return "promoted"
    return str(trial["state"])


def _target(trial: Document) -> int:
    return int(next(iter(trial["target"].values()))) if trial["target"] else 0
