"""Source: the YAML text of a configuration as values, and the line of each, within bounds."""

from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from etude.config.errors import Problem
from etude.config.values import DEEPEST, MOST

LONGEST = 2**18
"""Bytes of a configuration; the parser takes seconds for so many."""
Path = tuple[str | int, ...]
Lines = Mapping[Path, int]


class SourceError(ValueError):
    """The text cannot be read; ``problem`` says why, and where."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.problem = Problem("file", message, line)


def read(text: str) -> tuple[Any, Lines]:
    """The values of a document of YAML 1.2, and the line of each.

    Every node is composed once. What an alias stands for counts wherever it stands, so that a small text cannot become
    a large configuration.

    Raises
    ------
    SourceError
        The text is not YAML, or too long, too deep or too large.
    """
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST:
        raise SourceError(f"is longer than {LONGEST >> 10} KiB; large lists belong in a file of the model's folder")
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(text)
        if node is None:
            return None, {}
        _measure(node)
        values = yaml.constructor.construct_document(node)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SourceError(f"is not YAML: {error.problem}", mark and mark.line + 1) from None
    except RecursionError:
        raise SourceError(_TOO_DEEP) from None
    except SourceError:
        raise
    except (YAMLError, ValueError) as error:
        raise SourceError(f"is not YAML: {error}") from None
    return values, dict(_lines(node, ()))


_TOO_DEEP = f"nests deeper than {DEEPEST} levels"


def _measure(root: Node) -> None:
    """See that a document stays within its bounds.

    Raises
    ------
    SourceError
        It does not.
    """
    known: dict[int, tuple[int, int]] = {}  # values and levels of what a node stands for
    open_: set[int] = set()

    def visit(node: Node) -> tuple[int, int]:
        line = node.start_mark.line + 1
        if id(node) in open_:
            raise SourceError("has an alias within what it stands for", line)
        if id(node) not in known:
            open_.add(id(node))
            members = [visit(member) for member in _members(node)]
            open_.remove(id(node))
            size = 1 + sum(size for size, _ in members)
            depth = 1 + max((depth for _, depth in members), default=0)
            if size > MOST:
                raise SourceError(f"stands for more than {MOST:,} values, with its aliases", line)
            if depth > DEEPEST:
                raise SourceError(_TOO_DEEP, line)
            known[id(node)] = size, depth
        return known[id(node)]

    visit(root)


def _members(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise SourceError("has a list or a mapping for a name", key.start_mark.line + 1)
            yield value
    elif isinstance(node, SequenceNode):
        yield from node.value


def _lines(node: Node, path: Path) -> Iterator[tuple[Path, int]]:
    """Where each value is; that of a member is the line of its name."""
    if not path:
        yield path, node.start_mark.line + 1
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield (*path, key.value), key.start_mark.line + 1
            yield from _lines(value, (*path, key.value))
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            yield (*path, index), value.start_mark.line + 1
            yield from _lines(value, (*path, index))
