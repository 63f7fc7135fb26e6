"""Parallel coordinates: a line for each trial through its hyperparameters to its result, drawn by the graphics card."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from etude.config import parse
from etude.config.space import Categorical, Log, Parameter
from etude.figures.chosen import best_trials, noted
from etude.figures.look import figure, nothing
from etude.figures.look import scale as scale_of
from etude.figures.study import varying
from etude.material import Material

_LINES = 5000
_TICKS = 6


def parallel(material: Material) -> go.Figure:
    """The result first, then every hyperparameter that varies; the better, the brighter."""
    some = best_trials(material, _LINES)
    there = [trial for trial in some.trials if trial["best"]]
    if len(there) < 2:
        return nothing("Not enough results yet: two trials are the least.")
    space = parse(material.experiment["config"]).hyperparameters
    drawn = [varying(trial["hyperparameters"], space) for trial in there]
    results = [trial["best"]["value"] for trial in there]
    logarithmic = scale_of(results) == "log"
    dimensions = [_numbers(material.metric, results, logarithmic)]
    for path, parameter in space.parameters():
        name = ".".join(path)
        values = [trial.get(name) for trial in drawn]
        if any(value is not None for value in values):
            dimensions.append(_dimension(name, parameter, values))
    line = {
        "color": np.array(_scaled(results, logarithmic)),
        "colorscale": "Viridis",
        "reversescale": material.smaller_is_better,
    }
    made = figure([go.Parcoords(dimensions=dimensions, line=line)], "", "")
    made.update_layout(margin={"l": 70, "r": 40, "t": 60, "b": 30})
    results_there = sum(trial["best"] is not None for trial in material.trials)
    return noted(made, len(there), results_there, "trials")


def _dimension(name: str, parameter: Parameter, values: Sequence[Any]) -> dict[str, Any]:
    numeric = all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values if value is not None
    )
    if isinstance(parameter, Categorical) or not numeric:
        known = [str(value) for value in parameter.vals] if isinstance(parameter, Categorical) else []
        there = {str(value) for value in values if value is not None}
        kinds = [kind for kind in known if kind in there] + sorted(there.difference(known))
        places: dict[str | None, float] = {kind: float(place) for place, kind in enumerate(kinds)}
        found = [places.get(None if value is None else str(value), math.nan) for value in values]
        return {"label": name, "values": np.array(found), "tickvals": list(range(len(kinds))), "ticktext": kinds}
    return _numbers(name, values, isinstance(parameter, Log))


def _numbers(name: str, values: Sequence[float | None], logarithmic: bool) -> dict[str, Any]:
    scaled = _scaled(values, logarithmic)
    made: dict[str, Any] = {"label": name, "values": np.array(scaled)}
    there = [value for value in scaled if not math.isnan(value)]
    if logarithmic and there:
        low, high = math.floor(min(there)), math.ceil(max(there))
        step = max(1, math.ceil((high - low) / _TICKS))
        made["tickvals"] = list(range(low, high + 1, step))
        made["ticktext"] = [f"{10.0**exponent:g}" for exponent in made["tickvals"]]
        made["range"] = [low, high]
    return made


def _scaled(values: Sequence[float | None], logarithmic: bool) -> list[float]:
    return [math.nan if value is None else math.log10(value) if logarithmic else float(value) for value in values]
