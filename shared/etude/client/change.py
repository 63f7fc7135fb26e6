"""Changes: what ``etude experiment set ID name=value ...`` asks for."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from etude.client.errors import ChangeError
from etude.config import parse
from etude.events import ExperimentChangeRequested

_SETTINGS = ("max_trials", "max_length", "max_concurrent_trials", "priority", "weight", "labels")
_RANGES = "hyperparameters."
_KNOWN = f"{', '.join(_SETTINGS)}, {_RANGES}NAME.minval (or maxval, vals, ...)"


def read_changes(
    assignments: Iterable[str], config: Mapping[str, Any], requested_by: str = ""
) -> ExperimentChangeRequested:
    """The event that asks for changes.

    Parameters
    ----------
    assignments : such as ``max_trials=80``, ``max_trials=+50`` (more than now), ``labels=a,b``,
        ``hyperparameters.lr.maxval=-2``
    config : of the experiment, as JSON values

    Raises
    ------
    ChangeError
        One is no assignment, names no setting, or has no value that fits.
    """
    current = parse(config).searcher
    wishes: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if equals and name.startswith(_RANGES):
            _put(wishes.setdefault("hyperparameters", {}), name.removeprefix(_RANGES).split("."), _scalar(name, value))
            continue
        if not equals or name not in _SETTINGS:
            raise ChangeError(f"{assignment!r}: give NAME=VALUE, where NAME is one of {_KNOWN}")
        wishes[name] = _value(name, value, current)
    if not wishes:
        raise ChangeError(f"nothing to change: give NAME=VALUE, where NAME is one of {_KNOWN}")
    try:
        return ExperimentChangeRequested.model_validate({**wishes, "requested_by": requested_by})
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise ChangeError(places) from None


def _put(ranges: dict[str, Any], path: list[str], value: Any) -> None:
    for key in path[:-1]:
        ranges = ranges.setdefault(key, {})
    ranges[path[-1]] = value


def _scalar(name: str, value: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(value)
    except YAMLError:
        raise ChangeError(f"{name}={value}: a value as in the configuration is expected") from None


def _value(name: str, value: str, current: Any) -> Any:
    if name == "labels":
        return [label for label in value.split(",") if label]
    try:
        number: float = float(value) if name == "weight" else int(value)
    except ValueError:
        raise ChangeError(f"{name}={value}: a number is expected, such as 50, or +50 for so many more") from None
    if value.startswith("+") and name.startswith("max_"):
        now = current.longest.amount if name == "max_length" else getattr(current, name, None)
        if now is None:
            raise ChangeError(f"{name}={value}: a {current.name} search has no {name}")
        number += now
    return {current.longest.unit.value: number} if name == "max_length" else number
