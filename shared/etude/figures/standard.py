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

from etude.figures.chosen import best_trials, even_trials, noted
from etude.figures.look import nothing, with_webgl
from etude.figures.study import make_study
from etude.material import Material

_DOTS = 2000  # of trials
_CELLS = 200  # on each side of a contour
_ENOUGH = 2000  # results for importances; more make them slower, hardly better
_TREES, _DEPTH = 32, 8  # deeper trees say the same, ten times as slowly
_TOO_FEW = "Not enough results yet: two trials that differ are the least."


def slices(material: Material) -> go.Figure:
    """Results against each hyperparameter."""
    return _of_results(material, visualization.plot_slice, _DOTS)


def contour(material: Material) -> go.Figure:
    """Results over the two hyperparameters that matter most."""
    found = list(importances(material))[:2]
    if len(found) < 2:
        return nothing(_TOO_FEW)
    return _of_results(material, lambda study: visualization.plot_contour(study, params=found), _CELLS)


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
    on the best value of each trial, of at most 2000 trials evenly over time.
    """
    study = make_study(even_trials(material, _ENOUGH), all_results=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluator = FanovaImportanceEvaluator(n_trees=_TREES, max_depth=_DEPTH, seed=0)
            return optuna.importance.get_param_importances(study, evaluator=evaluator)
    except (ValueError, RuntimeError):  # too few, or all alike
        return {}


def _of_results(material: Material, plot: Callable[[optuna.Study], go.Figure], most: int) -> go.Figure:
    some = best_trials(material, most)
    study = make_study(some, all_results=True)
    complete = len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
    if complete < 2:
        return nothing(_TOO_FEW)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        made = with_webgl(_named(plot(study), material.metric))
    made.update_layout(title=None, template="plotly_white")
    return noted(made, len(some.trials), len(material.trials), "trials") if some is not material else made


def _named(made: go.Figure, metric: str) -> go.Figure:
    """With the metric's name where optuna has its own word. (A name that it is given makes it forget the direction.)"""
    return from_json(made.to_json().replace('"Objective Value"', json.dumps(metric)))
