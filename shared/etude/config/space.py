"""The hyperparameter space: what a configuration says may vary, and within which bounds. Drawing is the searcher's."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    RootModel,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

from etude.config.expression import Expression, ExpressionError

KINDS = ("const", "int", "double", "log", "categorical")


def _expression(value: str) -> str:
    try:
        Expression(value)
    except ExpressionError as error:
        raise PydanticCustomError("expression", "{reason}", {"reason": str(error)}) from None
    return value


ExpressionText = Annotated[str, AfterValidator(_expression)]
"""Text in the grammar of :mod:`etude.config.expression`."""


class _Parameter(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    condition: ExpressionText | None = None
    """The parameter exists only where this holds."""

    @property
    def first(self) -> JsonValue:
        """The value to try first, if there is one."""
        return None


class _Searched(_Parameter):
    prior: JsonValue = None
    """A value to try first; also called ``default``."""

    @model_validator(mode="before")
    @classmethod
    def _default(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and "default" in value and "prior" not in value:
            return {("prior" if name == "default" else name): item for name, item in value.items()}
        return value

    @property
    def first(self) -> JsonValue:
        return self.prior


class Const(_Parameter):
    """A fixed value."""

    type: Literal["const"] = "const"
    val: JsonValue

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        return value if isinstance(value, Mapping) else {"type": "const", "val": value}


class _Range(_Searched):
    count: Annotated[int, Field(ge=1)] | None = None
    step: Annotated[float, Field(gt=0)] | None = None
    """Only values at ``minval`` and whole steps above it."""

    @property
    def span(self) -> tuple[float, float]:
        """The smallest and the largest value that can be drawn."""
        return getattr(self, "minval"), getattr(self, "maxval")  # noqa: B009

    @model_validator(mode="after")
    def _prior_within(self) -> Self:
        if self.prior is None:
            return self
        try:
            low, high = self.span
        except OverflowError:
            return self  # which is a mistake of its own
        if isinstance(self.prior, bool) or not isinstance(self.prior, int | float) or not low <= self.prior <= high:
            raise PydanticCustomError(
                "range",
                "prior {prior} is not between {low} and {high}",
                {"prior": self.prior, "low": low, "high": high},
            )
        return self

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = getattr(self, "minval"), getattr(self, "maxval")  # noqa: B009
        if low > high:
            raise PydanticCustomError(
                "range",
                "minval {low} is above maxval {high}; swap them",
                {"low": low, "high": high},
            )
        return self


class Int(_Range):
    """An integer, both ends included."""

    type: Literal["int"]
    minval: int
    maxval: int
    step: Annotated[int, Field(ge=1)] | None = None


Finite = Annotated[float, Field(allow_inf_nan=False)]


class Double(_Range):
    """A real number between minval and maxval."""

    type: Literal["double"]
    minval: Finite
    maxval: Finite


class Log(_Range):
    """``base`` to the power of an exponent between minval and maxval."""

    type: Literal["log"]
    base: Annotated[float, Field(gt=0)] = 10.0
    minval: Finite
    maxval: Finite
    step: Annotated[float, Field(gt=0)] | None = None
    """Of the exponent."""

    @property
    def span(self) -> tuple[float, float]:
        """The smallest and the largest value; ``minval`` and ``maxval`` are exponents."""
        ends = self.base**self.minval, self.base**self.maxval
        return min(ends), max(ends)

    @model_validator(mode="after")
    def _finite(self) -> Self:
        for exponent in (self.minval, self.maxval):
            try:
                fine = math.isfinite(self.base**exponent)
            except OverflowError:
                fine = False
            if not fine:
                raise PydanticCustomError(
                    "exponent",
                    "minval and maxval are exponents of base {base}; {base} ** {exponent} is too large",
                    {"base": self.base, "exponent": exponent},
                )
        return self


class Categorical(_Searched):
    """One of several values, of any JSON type."""

    type: Literal["categorical"]
    vals: Annotated[list[JsonValue], Field(min_length=1)]

    @model_validator(mode="after")
    def _prior_listed(self) -> Self:
        if self.prior is not None and self.prior not in self.vals:
            raise PydanticCustomError("range", "prior {prior} is none of vals", {"prior": repr(self.prior)})
        return self


class Nested(RootModel[dict[str, "Hyperparameter"]]):
    """Hyperparameters under a common key."""

    model_config = ConfigDict(frozen=True)


def _kind(value: Any) -> str:
    if isinstance(value, Nested):
        return "nested"
    if isinstance(value, _Parameter):
        return str(getattr(value, "type"))  # noqa: B009
    if isinstance(value, Mapping):
        return str(value["type"]) if "type" in value else "nested"
    return "const"


Hyperparameter = Annotated[
    Annotated[Const, Tag("const")]
    | Annotated[Int, Tag("int")]
    | Annotated[Double, Tag("double")]
    | Annotated[Log, Tag("log")]
    | Annotated[Categorical, Tag("categorical")]
    | Annotated[Nested, Tag("nested")],
    Discriminator(
        _kind,
        custom_error_type="hyperparameter_type",
        custom_error_message="unknown hyperparameter type; expected const, int, double, log or categorical "
        "(a mapping without `type` nests)",
    ),
]
Nested.model_rebuild()

Parameter = Const | Int | Double | Log | Categorical


class Space(RootModel[dict[str, Hyperparameter]]):
    """All hyperparameters of an experiment.

    >>> space = Space.model_validate({"lr": {"type": "log", "minval": -4, "maxval": -1}, "net": {"width": 8}})
    >>> [path for path, _ in space.parameters()]
    [('lr',), ('net', 'width')]
    """

    model_config = ConfigDict(frozen=True)

    def parameters(self) -> Iterator[tuple[tuple[str, ...], Parameter]]:
        """Every parameter with its path, sorted by name on each level."""
        yield from _walk(self.root, ())

    def active(self, values: dict[str, Any]) -> dict[str, Any]:
        """Nested values without those whose condition does not hold.

        A parameter that depends on one that does not exist does not exist either.
        """
        conditions = {path: _parsed(text) for path, text in self._conditions}
        left = values
        while True:
            gone = [path for path, condition in conditions.items() if not _applies(condition, left)]
            if not gone:
                return left
            for path in gone:
                left = _without(left, path)
                del conditions[path]

    @cached_property
    def _conditions(self) -> list[tuple[tuple[str, ...], str]]:
        return [(path, parameter.condition) for path, parameter in self.parameters() if parameter.condition]

    @model_validator(mode="after")
    def _conditions_name_parameters(self) -> Self:
        check_names(self, [(".".join(path), p.condition) for path, p in self.parameters() if p.condition])
        return self


_parsed = lru_cache(maxsize=1024)(Expression)


def check_names(space: "Space", expressions: Sequence[tuple[str, str]]) -> None:
    """Do expressions name parameters that there are?

    Parameters
    ----------
    expressions : where each stands, and its text

    Raises
    ------
    PydanticCustomError
        One names none.
    """
    known = {".".join(path) for path, _ in space.parameters()}
    for place, text in expressions:
        strangers = sorted(Expression(text).names - known)
        if strangers:
            raise PydanticCustomError(
                "expression",
                "{place}: {text} names {stranger}, which is no hyperparameter; there are: {known}",
                {"place": place, "text": repr(text), "stranger": strangers[0], "known": ", ".join(sorted(known))},
            )


def _applies(condition: Expression, values: Mapping[str, Any]) -> bool:
    return all(_present(name.split("."), values) for name in condition.names) and condition.holds(values)


def _present(path: Sequence[str], values: Any) -> bool:
    for name in path:
        if not isinstance(values, Mapping) or name not in values:
            return False
        values = values[name]
    return True


def _without(values: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    name, *rest = path
    if name not in values:
        return values
    if not rest:
        return {key: value for key, value in values.items() if key != name}
    return {**values, name: _without(values[name], rest)}


def _walk(members: Mapping[str, Any], prefix: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Parameter]]:
    for name in sorted(members):
        member = members[name]
        if isinstance(member, Nested):
            yield from _walk(member.root, (*prefix, name))
        else:
            yield (*prefix, name), member
