"""Parameters that lack a type, or are in the words of another tool: what they are in ours.

The words are those of Weights & Biases sweeps, NNI, Katib, Ax, Ray Tune, Optuna and Syne Tune.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

KINDS = ("const", "int", "double", "log", "categorical")
_ENDS = (("minval", "maxval"), ("min", "max"), ("low", "high"), ("lower", "upper"))
_BOUNDS = ("bounds", "range", "domain", "interval")
_LISTS = ("vals", "values", "choices", "categories", "choice", "list", "grid_search", "options")
_SINGLES = ("val", "value", "const")
_DECISIVE = {"minval", "maxval", "vals", "val", "_type", "_value", "feasibleSpace", "parameterType", "grid_search"}
_MODIFIERS = {"distribution", "scale", "scaling", "log", "log_scale", "logBase", "sampler", "q", "mu", "sigma"} | {
    *{"base", "count", "step", "prior", "default", "condition", "name", "value_type", "parameter_type", "type"}
}
_WORDS = {*_DECISIVE, *_MODIFIERS, *_BOUNDS, *_LISTS, *_SINGLES, *(name for pair in _ENDS for name in pair)}
_NATURAL = ("log_uniform", "q_log_uniform", "log_normal")  # of W&B: ends are exponents of e


def is_parameter(written: Mapping[str, Any]) -> bool:
    """Was a mapping without type meant as a parameter, and not as a group of parameters?

    >>> is_parameter({"minval": -4, "maxval": -1}), is_parameter({"min": 0, "max": 9}), is_parameter({"width": 8})
    (True, True, False)
    """
    names = {str(name) for name in written}
    if any(isinstance(value, Mapping) for name, value in written.items() if name != "feasibleSpace"):
        return False
    if names & _DECISIVE:
        return True
    return names <= _WORDS and (
        any(low in names and high in names for low, high in _ENDS)
        or any(isinstance(written.get(name), Sequence) for name in (*_BOUNDS, *_LISTS))
        or "distribution" in names
        or "value" in names
    )


def is_conditional_group(written: Mapping[str, Any]) -> bool:
    """Has a group of parameters, which has no type, a condition?"""
    return isinstance(written.get("condition"), str)


def holds_parameter(value: Any) -> bool:
    """Does a constant have parameters in it, which would never vary?"""
    if isinstance(value, Mapping):
        return (value.get("type") in KINDS and len(value) > 1) or any(map(holds_parameter, value.values()))
    return isinstance(value, list) and any(map(holds_parameter, value))


def in_our_words(written: Mapping[str, Any]) -> str:
    """How a parameter is written here, as YAML; empty if that is not clear.

    >>> in_our_words({"distribution": "log_uniform_values", "min": 1e-5, "max": 0.1})
    '{type: log, minval: -5, maxval: -1}'
    >>> in_our_words({"_type": "choice", "_value": [32, 64]})
    '{type: categorical, vals: [32, 64]}'
    """
    said = _flattened(written)
    kind = str(said.get("type", "")).lower()
    for name in _LISTS:
        if isinstance(said.get(name), list):
            return _flow({"type": "categorical", "vals": said[name]})
    if kind in ("bool", "boolean"):
        return _flow({"type": "categorical", "vals": [True, False]})
    ends = _ends(said)
    if ends is not None:
        return _range(said, kind, *ends)
    for name in _SINGLES:
        if name in said:
            return _flow({"type": "const", "val": said[name]})
    return ""


def _flattened(written: Mapping[str, Any]) -> dict[str, Any]:
    """All at one level, with what kind of range it is, whatever that is called, as ``type``."""
    said = dict(written)
    if isinstance(said.get("feasibleSpace"), Mapping):
        said |= said.pop("feasibleSpace")
    if isinstance(said.get("_value"), list):
        said["choices" if said.get("_type") == "choice" else "bounds"] = said.pop("_value")
    for name in ("parameterType", "parameter_type", "value_type", "_type", "distribution", "scale", "scaling"):
        if isinstance(said.get(name), str):
            said["type"] = f"{said.get('type', '')} {said[name]}".strip()
    if said.get("log") is True or said.get("log_scale") is True:
        said["type"] = f"{said.get('type', '')} log".strip()
    return said


def _ends(said: Mapping[str, Any]) -> tuple[float, float] | None:
    found = [(said[low], said[high]) for low, high in _ENDS if low in said and high in said]
    found += [tuple(said[name][:2]) for name in _BOUNDS if isinstance(said.get(name), list) and len(said[name]) >= 2]
    for low, high in found:
        try:
            ends = _number(low), _number(high)
        except (TypeError, ValueError):
            continue
        if all(map(math.isfinite, ends)):
            return ends
    return None


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError("no number")
    return value if isinstance(value, int) else float(value)


def _range(said: Mapping[str, Any], kind: str, low: float, high: float) -> str:
    whole = isinstance(low, int) and isinstance(high, int)
    is_ours = "minval" in said
    if is_ours and "base" in said:
        return _flow({"type": "log", "base": said["base"], "minval": low, "maxval": high})
    if "log" in kind:
        if kind in _NATURAL:
            return _flow({"type": "log", "base": math.e, "minval": low, "maxval": high})
        if not is_ours and 0 < low <= high:
            return _flow({"type": "log", "minval": _exponent(low), "maxval": _exponent(high)})
        return _flow({"type": "log", "minval": low, "maxval": high})
    is_whole = whole and "uniform" not in kind.replace("int_uniform", "int").replace("quniform", "int")
    if ("int" in kind or is_whole) and "double" not in kind and "float" not in kind:
        return _flow({"type": "int", "minval": math.ceil(low), "maxval": math.floor(high)})
    return _flow({"type": "double", "minval": low, "maxval": high})


def _exponent(value: float) -> float:
    exponent = round(math.log10(value), 4)
    return int(exponent) if exponent.is_integer() else exponent


def _flow(parameter: Mapping[str, Any]) -> str:
    return f"{{{', '.join(f'{name}: {_scalar(value)}' for name, value in parameter.items())}}}"


def _scalar(value: Any) -> str:
    match value:
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case float():
            return f"{value:.6g}"
        case list():
            shown = [_scalar(item) for item in value[:8]] + ["..."] * (len(value) > 8)
            return f"[{', '.join(shown)}]"
    return str(value)
