"""Study: an experiment as an optuna study, for its figures, its importances, and whoever knows optuna."""

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from etude.config import Space, parse
from etude.config.space import Categorical, Const, Double, Int, Log
from etude.material import Document, Material

_STATES = {
    "finished": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "errored": TrialState.FAIL,
    "invalid-hyperparameters": TrialState.FAIL,
    "canceled": TrialState.FAIL,
    "killed": TrialState.FAIL,
    "running": TrialState.RUNNING,
    "paused": TrialState.RUNNING,
}


def make_study(
    material: Material, all_results: bool = False, storage: str | None = None, name: str | None = None
) -> optuna.Study:
    """A study with a trial for each trial: its hyperparameters, its best value, its validations in between.

    Parameters
    ----------
    all_results : let every trial that has a result count as complete; else one that was stopped is pruned
    storage : of optuna, such as ``sqlite:///study.db``; by default memory
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    direction = StudyDirection.MINIMIZE if material.smaller_is_better else StudyDirection.MAXIMIZE
    study = optuna.create_study(storage=storage, study_name=name, direction=direction)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names([material.metric])
    study.add_trials(make_trials(material, all_results))
    return study


def make_trials(material: Material, all_results: bool = False) -> list[FrozenTrial]:
    """The trials of :func:`make_study`; those of which nothing is known but that they are wanted are left out."""
    space = parse(material.experiment["config"]).hyperparameters
    values = {trial["trial_id"]: varying(trial["hyperparameters"], space) for trial in material.trials}
    distributions = _distributions(space, values.values())
    curves = {curve["trial_id"]: curve for curve in material.curves}
    made = []
    for trial in material.trials:
        best = trial["best"]["value"] if trial["best"] else None
        state = _STATES.get(trial["state"])
        if best is not None and (all_results or state is TrialState.COMPLETE):
            state = TrialState.COMPLETE
        elif state is TrialState.COMPLETE:
            state = TrialState.FAIL
        if state is None:
            continue
        params = values[trial["trial_id"]]
        made.append(
            create_trial(
                state=state,
                value=best if state in (TrialState.COMPLETE, TrialState.PRUNED) else None,
                params=params,
                distributions={name: distributions[name] for name in params},
                intermediate_values=_intermediate(curves.get(trial["trial_id"])),
                user_attrs={"trial": trial["trial_id"], "state": trial["state"]},
            )
        )
    return made


def varying(hyperparameters: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Those hyperparameters of a trial that vary, by dotted name."""
    found = {}
    for path, parameter in space.parameters():
        value: Any = hyperparameters
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None and not isinstance(parameter, Const):
            found[".".join(path)] = value if isinstance(value, bool | int | float | str) else str(value)
    return found


def _distributions(space: Space, drawn: Iterable[Mapping[str, Any]]) -> dict[str, BaseDistribution]:
    """Of each parameter, as wide as the space and what was drawn, for a space may have been wider before."""
    seen: dict[str, list[Any]] = {}
    for values in drawn:
        for name, value in values.items():
            seen.setdefault(name, []).append(value)
    made = {}
    for path, parameter in space.parameters():
        name = ".".join(path)
        if not isinstance(parameter, Const):
            made[name] = _distribution(parameter, seen.get(name, []))
    return made


def _distribution(parameter: Any, seen: Sequence[Any]) -> BaseDistribution:
    match parameter:
        case Int():
            return IntDistribution(*_ends(int, parameter.minval, parameter.maxval, seen))
        case Double():
            return FloatDistribution(*_ends(float, parameter.minval, parameter.maxval, seen))
        case Log():
            low, high = (parameter.base**exponent for exponent in (parameter.minval, parameter.maxval))
            return FloatDistribution(*_ends(float, low, high, seen), log=True)
        case Categorical():
            choices = [value if isinstance(value, bool | int | float | str) else str(value) for value in parameter.vals]
            return CategoricalDistribution(choices + [value for value in dict.fromkeys(seen) if value not in choices])
    raise AssertionError(f"{parameter!r} does not vary")


def _ends(kind: type, low: float, high: float, seen: Sequence[float]) -> tuple[Any, Any]:
    return kind(min([low, *seen])), kind(max([high, *seen]))


def _intermediate(curve: Document | None) -> dict[int, float]:
    if curve is None:
        return {}
    return {
        length: value
        for length, value in zip(curve["lengths"], curve["values"], strict=True)
        if value is not None and math.isfinite(value)
    }
