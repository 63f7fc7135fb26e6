"""Expressions over hyperparameters, for conditions and constraints: a small grammar, parsed by Python and walked by us.

Numbers, text, lists, names (dots lead into nested hyperparameters; what is no word of Python's, such as
``batch-size``, stands in backquotes), arithmetic (``+ - * / // % **``), comparisons (``== != < <= > >= in``, chained at
will), ``and``, ``or``, ``not``. Nothing else: no calls, no attributes of values.

Numbers are of 64 bits, on the way to a result, too: with the length of the text, that bounds what one may cost.
"""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from etude.names import MISSING, find

_MAX_CHARACTERS = 500
_MAX_POWER = 64
_INT64 = range(-(2**63), 2**63)
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, options: item in options,
    ast.NotIn: lambda item, options: item not in options,
}
_QUOTED = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|`([^`]+)`""")
"""Text, which may have backquotes in it, or a name in backquotes."""


class ExpressionError(ValueError):
    """An expression that the grammar does not have, or that makes no sense for the values it is given."""


class Expression:
    """A parsed expression.

    Attributes
    ----------
    names : all names in it, each as its words

    >>> Expression("hidden <= 4 * net.embed and optimizer in ['sgd', 'adam']").holds(
    ...     {"hidden": 8, "net": {"embed": 2}, "optimizer": "sgd"})
    True

    Raises
    ------
    ExpressionError
        The text is not in the grammar; the message says what is not.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > _MAX_CHARACTERS:
            raise ExpressionError(f"an expression has at most {_MAX_CHARACTERS} characters; this has {len(text)}")
        try:
            tree = _parse(text.strip())
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ExpressionError(f"{text!r} is no expression: {getattr(error, 'msg', error)}") from None
        self._body = tree.body
        self.names = frozenset(_check(self._body, text))

    def holds(self, values: Mapping[str, Any], if_absent: bool = True) -> bool:
        """Is it true?

        Parameters
        ----------
        values : by name, such as a trial's hyperparameters; mappings nest
        if_absent : the answer if a name has no value; a constraint that says nothing about a trial holds

        Raises
        ------
        ExpressionError
            It cannot be computed from these values, such as ``'adam' + 1``.
        """
        try:
            value = _value(self._body, values)
        except _Absent:
            return if_absent
        except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
            raise ExpressionError(f"{self.text!r} cannot be computed: {error}") from None
        return bool(value)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


class _Absent(Exception):  # noqa: N818 - a way out of the walk, not a mistake
    """A name that has no value."""


def _parse(text: str) -> ast.Expression:
    """As Python does, and with names in backquotes: words stand for them as long as Python reads."""
    word = "quoted"
    while word in text:
        word += "_"
    names: dict[str, str] = {}

    def stand_in(found: re.Match[str]) -> str:
        if found[2] is None:
            return found[0]
        names[f"{word}{len(names)}"] = found[2]
        return f"{word}{len(names) - 1}"

    tree = ast.parse(_QUOTED.sub(stand_in, text), mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
        elif isinstance(node, ast.Attribute):
            node.attr = names.get(node.attr, node.attr)
    return tree


def _check(node: ast.expr, text: str) -> Iterator[tuple[str, ...]]:
    """The names in an expression; raises at whatever the grammar does not have."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return
        case ast.Name() | ast.Attribute():
            yield _path(node, text)
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            for part in parts:
                yield from _check(part, text)
        case ast.BoolOp(values=parts):
            for part in parts:
                yield from _check(part, text)
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd(), operand=operand):
            yield from _check(operand, text)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY or isinstance(op, ast.Pow):
            yield from _check(left, text)
            yield from _check(right, text)
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARE for op in ops):
            for part in (left, *others):
                yield from _check(part, text)
        case _:
            raise ExpressionError(
                f"{text!r}: {ast.unparse(node)!r} is not allowed; an expression has names, numbers, text, lists, "
                "arithmetic, comparisons, and, or, not"
            )


def _path(node: ast.expr, text: str) -> tuple[str, ...]:
    match node:
        case ast.Name(id=name):
            return (name,)
        case ast.Attribute(value=value, attr=name):
            return (*_path(value, text), name)
    raise ExpressionError(f"{text!r}: {ast.unparse(node)!r} is no name of a hyperparameter")


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name() | ast.Attribute():
            return _look_up(_path(node, ""), values)
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [_value(part, values) for part in parts]
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(_value(part, values) for part in parts)
        case ast.BoolOp(op=ast.Or(), values=parts):
            return any(_value(part, values) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, values)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _bounded(-_value(operand, values))
        case ast.UnaryOp(operand=operand):
            return +_value(operand, values)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left, values), _value(right, values))
        case ast.BinOp(left=left, op=op, right=right):
            return _numbers(_BINARY[type(op)], _value(left, values), _value(right, values))
        case ast.Compare(left=left, ops=ops, comparators=others):
            parts = [_value(part, values) for part in (left, *others)]
            return all(_COMPARE[type(op)](a, b) for op, a, b in zip(ops, parts[:-1], parts[1:], strict=True))
    raise AssertionError(f"{ast.dump(node)} was checked to be in the grammar")


def _look_up(name: tuple[str, ...], values: Mapping[str, Any]) -> Any:
    found = find(values, name)
    if found is MISSING:
        raise _Absent
    return found


def _numbers(operation: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    """Arithmetic is for numbers: text times a million would be a way to run out of memory."""
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        raise TypeError(f"{left!r} and {right!r} are not both numbers")
    return _bounded(operation(_bounded(left), _bounded(right)))


def _bounded(number: Any) -> Any:
    """A number of 64 bits: a power of a power would take hours, and all the memory there is."""
    if isinstance(number, int) and number not in _INT64:
        raise OverflowError("a whole number on the way does not fit into 64 bits")
    if isinstance(number, complex):
        raise ValueError("a root of a negative number")
    return number


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(exponent, int | float) and abs(exponent) > _MAX_POWER:
        raise ValueError(f"an exponent is between -{_MAX_POWER} and {_MAX_POWER}, not {exponent}")
    return _numbers(operator.pow, base, exponent)
