"""References: which names conditions and constraints use, and whether there are such hyperparameters."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from etude.config.expression import Expression, ExpressionError
from etude.config.space import is_group
from etude.names import find, quoted

Path = tuple[str | int, ...]


def unknown_names(raw: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Names that are no hyperparameters, in a configuration that may have any other mistakes.

    Yields
    ------
    where it stands, and what is wrong
    """
    space = raw.get("hyperparameters", {})
    if not isinstance(space, Mapping):
        return
    tree = _tree(space)
    known = sorted(quoted(path) for path in _leaves(tree, ()))
    constraints = raw.get("constraints")
    expressions: list[tuple[Path, Any]] = [
        *(((*path, "condition"), condition) for path, condition in _conditions(space, ("hyperparameters",))),
        *((("constraints", n), text) for n, text in enumerate(constraints if isinstance(constraints, list) else [])),
    ]
    for path, text in expressions:
        try:
            names = Expression(text).names if isinstance(text, str) else frozenset()
        except ExpressionError:
            continue  # which is told elsewhere
        for name in sorted(names):
            if find(tree, name) is not True:
                yield path, _message(text, quoted(name), known)


def _message(text: str, stranger: str, known: list[str]) -> str:
    backquoted = [name for name in known if "`" in name and name.replace("`", "") in text]
    nearest = difflib.get_close_matches(stranger, known, n=1, cutoff=0.6)
    if backquoted:
        hint = f"did you mean {backquoted[0]}, in backquotes?"
    elif nearest:
        hint = f"did you mean {nearest[0]}?"
    else:
        hint = f"there are: {', '.join(known) or 'none'}"
    return f"{text!r} names {stranger}, which is no hyperparameter; {hint}"


def _tree(members: Mapping[str, Any]) -> dict[str, Any]:
    """Groups as they nest, with True for each parameter."""
    return {str(name): _tree(member) if is_group(member) else True for name, member in members.items()}


def _leaves(tree: Mapping[str, Any], prefix: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, member in tree.items():
        if isinstance(member, dict):
            yield from _leaves(member, (*prefix, name))
        else:
            yield (*prefix, name)


def _conditions(members: Mapping[str, Any], prefix: Path) -> Iterator[tuple[Path, Any]]:
    for name, member in members.items():
        if is_group(member):
            yield from _conditions(member, (*prefix, name))
        elif isinstance(member, Mapping) and "condition" in member:
            yield (*prefix, name), member["condition"]
