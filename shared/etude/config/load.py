"""Loading a configuration: YAML to a validated ExperimentConfig, or every mistake with its path and line."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core.core_schema import ErrorType

from etude.config.dialect import Dialect
from etude.config.environment import Environment
from etude.config.errors import ConfigError, Problem
from etude.config.experiment import ExperimentConfig, Reproducibility, Resources
from etude.config.foreign import KINDS, in_our_words, is_conditional_group, is_parameter
from etude.config.references import unknown_names
from etude.config.searcher import searcher_fields, searcher_names
from etude.config.source import Lines, SourceError, read
from etude.config.space import Categorical, Const, Double, Int, Log
from etude.config.values import TooLargeError, unstorable

_FIELDS_OF: dict[str, type[BaseModel]] = {
    "const": Const,
    "int": Int,
    "double": Double,
    "log": Log,
    "categorical": Categorical,
}
_PYDANTICS_OWN = frozenset(get_args(ErrorType))  # which do not say what they got; ours do
_NAMELESS = {"union_tag_invalid", "union_tag_not_found"}
_NOT_A_MAPPING = {"dict_type", "model_type", "model_attributes_type"}
Found = tuple[tuple[str | int, ...], str]
"""Where a mistake is, in the words of the author, and what it is."""


def load(path: Path) -> ExperimentConfig:
    """Read a configuration file.

    Raises
    ------
    ConfigError
        The file cannot be read, or has mistakes: all of them, each with path and line.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem("file", f"cannot be read: {error}")], str(path)) from None
    return loads(text, str(path))


def loads(text: str, source: str = "configuration") -> ExperimentConfig:
    """Read a configuration from YAML (1.2) text; see :func:`load`."""
    try:
        raw, lines = read(text)
    except SourceError as error:
        raise ConfigError([error.problem], source) from None
    return parse(raw, lines, source)


def parse(raw: Any, lines: Lines | None = None, source: str = "configuration") -> ExperimentConfig:
    """Validate a configuration given as JSON values; see :func:`load`."""
    if not isinstance(raw, dict):
        raise ConfigError([Problem("file", "expected a mapping with at least entrypoint and searcher")], source)
    try:
        not_storable = dict(unstorable(raw))
    except TooLargeError as error:
        raise ConfigError([Problem("file", str(error))], source) from None
    dialect = Dialect(raw)
    found: list[Found] = [(tuple(problem.path.split(".")), problem.message) for problem in dialect.problems]
    try:
        config = ExperimentConfig.model_validate(dialect.raw)
    except ValidationError as error:
        found += [*_problems(error, dialect.raw, dialect), *_behind_the_name(error, dialect)]
    found += [(dialect.as_written(path), message) for path, message in unknown_names(dialect.raw)]
    found = [*not_storable.items(), *(item for item in found if item[0] not in not_storable)]
    if found:
        raise ConfigError(_placed(found, lines or {}), source) from None
    return config


def _problems(error: ValidationError, raw: Mapping[str, Any], dialect: Dialect) -> list[Found]:
    return [_problem(dict(item), raw, dialect) for item in error.errors(include_url=False)]


def _behind_the_name(error: ValidationError, dialect: Dialect) -> list[Found]:
    """What is wrong with the fields of a searcher whose name is wrong, or missing."""
    raw = dialect.raw.get("searcher")
    if not isinstance(raw, dict) or not any(item["type"] in _NAMELESS for item in error.errors(include_url=False)):
        return []
    meant = difflib.get_close_matches(str(raw.get("name")), searcher_names(), n=1, cutoff=0.4)
    name = meant[0] if meant else _with_fields(raw)
    named = {**dialect.raw, "searcher": {**raw, "name": name}}
    try:
        ExperimentConfig.model_validate(named)
    except ValidationError as again:
        found = _problems(again, named, dialect)
        return [problem for problem in found if problem[0][:1] == ("searcher",)]
    return []


def _with_fields(raw: Mapping[str, Any]) -> str:
    """The searcher that has most of the fields that are given."""
    return max(searcher_names(), key=lambda name: len(searcher_fields({"name": name}) & raw.keys()))


def _problem(item: dict[str, Any], raw: Mapping[str, Any], dialect: Dialect) -> Found:
    path, parent = _real_path(item["loc"], raw, keep_last=item["type"] == "missing")
    return dialect.as_written(path), _message(item, path, parent)


def _placed(found: Sequence[Found], lines: Lines) -> list[Problem]:
    problems = [
        Problem(".".join(map(str, path)) or "configuration", message, _line(path, lines))
        for path, message in dict.fromkeys(found)
    ]
    return sorted(problems, key=lambda p: (p.line or 0, p.path))


def _line(path: tuple[str | int, ...], lines: Lines) -> int | None:
    return next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)


def _real_path(loc: Sequence[str | int], raw: Any, keep_last: bool) -> tuple[tuple[str | int, ...], Any]:
    """Drop the union tags that pydantic puts into locations; also give the value that holds the last key."""
    path: list[str | int] = []
    node, parent = raw, raw
    for index, key in enumerate(loc):
        present = (isinstance(node, dict) and key in node) or (
            isinstance(node, list) and isinstance(key, int) and key < len(node)
        )
        if present:
            path.append(key)
            parent, node = node, node[key]
        elif keep_last and index == len(loc) - 1:
            path.append(key)
            parent = node
    return tuple(path), parent


def _message(item: dict[str, Any], path: tuple[str | int, ...], parent: Any) -> str:
    kind = item["type"]
    if kind == "extra_forbidden":
        return _unknown_field(str(path[-1]), _known_fields(path[:-1], parent))
    if kind == "missing":
        return "is required"
    if kind == "union_tag_not_found":
        return f"needs a name: {', '.join(searcher_names())}"
    if kind == "union_tag_invalid":
        return f"no searcher is called {item['ctx']['tag']!r}; {_hint(item['ctx']['tag'], searcher_names())}"
    if kind == "hyperparameter_type":
        return _untyped(item["input"])
    message = "expected a mapping" if kind in _NOT_A_MAPPING else str(item["msg"])
    if kind not in _PYDANTICS_OWN:
        return message[:1].lower() + message[1:]
    return f"{message[:1].lower()}{message[1:]}; got {_short(item.get('input'))}"


def _untyped(written: Mapping[str, Any]) -> str:
    """What is wrong with a mapping that is neither a parameter nor a group of them."""
    words = in_our_words(written)
    if "type" not in written:
        if not is_parameter(written) and is_conditional_group(written):
            return "a group has no condition of its own; give one to each of its parameters"
        return f"a parameter needs a type: {', '.join(KINDS)}" + (f"; perhaps {words}" if words else "")
    wanted = written["type"]
    told = f"no hyperparameter type is called {wanted!r}"
    if any(isinstance(member, Mapping) for member in written.values()):
        return f"{told}; for a parameter that is called type, write type: {{type: const, val: {wanted}}}"
    close = difflib.get_close_matches(str(wanted), KINDS, n=1, cutoff=0.7)
    return f"{told}; write {words}" if words and not close else f"{told}; {_hint(str(wanted), KINDS)}"


def _unknown_field(name: str, known: Collection[str]) -> str:
    return f"unknown field; {_hint(name, known)}"


def _hint(name: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"did you mean {nearest[0]!r}?" if nearest else f"known here: {', '.join(sorted(known))}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _known_fields(path: tuple[str | int, ...], parent: Any) -> set[str]:
    match path:
        case ():
            return set(ExperimentConfig.model_fields)
        case ("searcher",):
            return searcher_fields(parent)
        case ("resources",):
            return set(Resources.model_fields)
        case ("reproducibility",):
            return set(Reproducibility.model_fields)
        case ("environment",):
            return set(Environment.model_fields)
        case ("hyperparameters", *_) if isinstance(parent, dict):
            return set(_FIELDS_OF[str(parent.get("type", "const"))].model_fields)
    return set()
