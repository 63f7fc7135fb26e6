"""Figures that optuna draws: of hyperparameters and results."""

import json
import warnings
from collections.abc import Callable

import optuna
import plotly.graph_objects as go
from optuna import visualization
from optuna.exceptions import ExperimentalWarning
from optuna.importance import FanovaImportanceEvaluator
from optuna.trial import TrialState
from plotly.io import from_json

from etude.figures.look import nothing, with_webgl
from etude.figures.study import make_study
from etude.material import Material

_ENOUGH = 1000  # results for importances; more make them slower, hardly better
_TREES = 32
_TOO_FEW = "Not enough results yet: two trials that differ are the least."


def parallel(material: Material) -> go.Figure:
    """A line for each trial through its hyperparameters to its result."""
    return _of_results(material, visualization.plot_parallel_coordinate)


def slices(material: Material) -> go.Figure:
    """Results against each hyperparameter."""
    return _of_results(material, visualization.plot_slice)


def contour(material: Material) -> go.Figure:
    """Results over the two hyperparameters that matter most."""
    found = list(importances(material))[:2]
    if len(found) < 2:
        return nothing(_TOO_FEW)
    return _of_results(material, lambda study: visualization.plot_contour(study, params=found))


def importance(material: Material) -> go.Figure:
    """How much of the differences between results each hyperparameter explains."""
    found = importances(material)
    if not found:
        return nothing(_TOO_FEW)
    names = list(reversed(found))
    bars = go.Bar(x=[found[name] for name in names], y=names, orientation="h", marker={"color": "#4c78a8"})
    made = go.Figure([bars])
    made.update_layout(
        xaxis_title=f"share of the differences in {material.metric}",
        margin={"l": 120, "r": 20, "t": 30, "b": 50},
        template="plotly_white",
    )
    return made


def importances(material: Material) -> dict[str, float]:
    """Importance by hyperparameter, the greatest first; empty with too few results.

    fANOVA (Hutter, Hoos, Leyton-Brown 2014: An Efficient Approach for Assessing Hyperparameter Importance) by optuna,
    on the best value of each trial, of at most 1000 trials evenly over time.
    """
    study = make_study(material, all_results=True)
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) > _ENOUGH:
        step = len(complete) / _ENOUGH
        some = [complete[int(index * step)] for index in range(_ENOUGH)]
        study = optuna.create_study(direction=study.direction)
        study.add_trials(some)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluator = FanovaImportanceEvaluator(n_trees=_TREES, seed=0)
            return optuna.importance.get_param_importances(study, evaluator=evaluator)
    except (ValueError, RuntimeError):  # too few, or all alike
        return {}


def _of_results(material: Material, plot: Callable[[optuna.Study], go.Figure]) -> go.Figure:
    study = make_study(material, all_results=True)
    if len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < 2:
        return nothing(_TOO_FEW)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        made = with_webgl(_named(plot(study), material.metric))
    made.update_layout(title=None, template="plotly_white")
    return made


def _named(made: go.Figure, metric: str) -> go.Figure:
    """With the metric's name where optuna has its own word. (A name that it is given makes it forget the direction.)"""
    return from_json(made.to_json().replace('"Objective Value"', json.dumps(metric)))
