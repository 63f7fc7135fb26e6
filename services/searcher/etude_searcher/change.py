"""Live changes: the configuration that a person's wish leads to. Pure."""

from typing import Any

from etude.events import ExperimentChangeRequested
from etude_searcher.engine import SearchEngine
from etude_searcher.methods import UnchangeableError

_OF_THE_SEARCH = ("max_trials", "max_length", "max_concurrent_trials")
_OF_THE_RESOURCES = ("weight", "priority")


def changed(config: dict[str, Any], wish: ExperimentChangeRequested, engine: SearchEngine) -> dict[str, Any]:
    """A configuration with what was wished for.

    Parameters
    ----------
    config : as it is, as JSON values
    engine : whose brackets stay as they are, even if a new search of this size would have others

    Raises
    ------
    UnchangeableError
        The search has no such setting.
    """
    unit = engine.config.searcher.longest.unit
    if wish.max_length is not None and wish.max_length.unit is not unit:
        raise UnchangeableError(f"the lengths of this search are in {unit}; give max_length in {unit}, too")
    told = wish.to_json()
    searcher = {**config["searcher"]}
    for name in _OF_THE_SEARCH:
        if told[name] is None:
            continue
        if name not in type(engine.config.searcher).model_fields:
            raise UnchangeableError(f"a {engine.config.searcher.name} search has no {name} to be changed")
        searcher[name] = told[name]
    if rungs := getattr(engine.method, "rungs", None):
        searcher["bracket_rungs"] = list(rungs)
    ranges = _merged(config.get("hyperparameters", {}), told["hyperparameters"] or {})
    resources = {**config.get("resources", {})}
    resources.update({name: told[name] for name in _OF_THE_RESOURCES if told[name] is not None})
    labels = {} if told["labels"] is None else {"labels": told["labels"]}
    return {**config, "searcher": searcher, "hyperparameters": ranges, "resources": resources, **labels}


def _merged(ranges: Any, wish: Any) -> Any:
    """Ranges with what was wished for, on every level."""
    if not isinstance(ranges, dict) or not isinstance(wish, dict):
        return wish
    return {**ranges, **{name: _merged(ranges.get(name), value) for name, value in wish.items()}}
