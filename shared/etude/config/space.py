"""The hyperparameter space: what a configuration says may vary, and within which bounds. Drawing is the searcher's."""

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
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
from etude.config.foreign import holds_parameter, is_conditional_group, is_parameter
from etude.names import MISSING, find

UNREADABLE = "no type"
"""Tag of a mapping that is neither a parameter nor a group of them."""


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
        if isinstance(value, Mapping):
            return value
        if holds_parameter(value):
            raise _never_varies("a list is a constant")
        return {"type": "const", "val": value}


def _never_varies(reason: str) -> PydanticCustomError:
    return PydanticCustomError(
        "constant",
        "{reason}, and parameters in it would never vary; give each a name of its own, and a condition if need be",
        {"reason": reason},
    )


class _Range(_Searched):
    count: Annotated[int, Field(ge=1)] | None = None
    step: Annotated[float, Field(gt=0)] | None = None
    """Only values at ``minval`` and whole steps above it."""

    @property
    def span(self) -> tuple[float, float]:
        """The smallest and the largest value that can be drawn."""
        return getattr(self, "minval"), getattr(self, "maxval")  # noqa: B009

    @model_validator(mode="after")
    def _prior_can_be_drawn(self) -> Self:
        if self.prior is None:
            return self
        try:
            low, high = self.span
        except (OverflowError, ZeroDivisionError):
            return self  # which is a mistake of its own
        if isinstance(self.prior, bool) or not isinstance(self.prior, int | float) or not low <= self.prior <= high:
            raise PydanticCustomError(
                "range",
                "prior {prior} is not between {low} and {high}",
                {"prior": self.prior, "low": low, "high": high},
            )
        steps = self._steps_to(self.prior)
        if steps is not None and abs(steps - round(steps)) > _OFF_STEP:
            raise PydanticCustomError(
                "range",
                "prior {prior} lies between two steps; the nearest are {below} and {above}",
                {
                    "prior": self.prior,
                    "below": self._after_steps(math.floor(steps)),
                    "above": self._after_steps(math.ceil(steps)),
                },
            )
        return self

    def _steps_to(self, value: float) -> float | None:
        """How many steps lie between minval and a value; None if there are no steps."""
        return None if self.step is None else (value - getattr(self, "minval")) / self.step  # noqa: B009

    def _after_steps(self, count: int) -> float:
        return after_steps(getattr(self, "minval"), self.step or 0, count)  # noqa: B009

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = getattr(self, "minval"), getattr(self, "maxval")  # noqa: B009
        if low > high:
            raise PydanticCustomError(
                "range",
                "minval {low} is above maxval {high}; swap them",
                {"low": low, "high": high},
            )
        if not math.isfinite(high - low):
            raise PydanticCustomError(
                "range",
                "minval {low} and maxval {high} are so far apart that no number is their difference",
                {"low": low, "high": high},
            )
        return self


_OFF_STEP = 1e-6


def after_steps(low: float, step: float, count: int) -> float:
    """``low + count * step`` as people write it.

    >>> after_steps(0.1, 0.1, 2), 0.1 + 2 * 0.1
    (0.3, 0.30000000000000004)
    """
    return float(Decimal(repr(low)) + count * Decimal(repr(step)))


class Int(_Range):
    """An integer, both ends included."""

    type: Literal["int"]
    minval: int
    maxval: int
    step: Annotated[int, Field(ge=1)] | None = None

    def _after_steps(self, count: int) -> float:
        return self.minval + count * (self.step or 0)


Finite = Annotated[float, Field(allow_inf_nan=False)]


class Double(_Range):
    """A real number between minval and maxval."""

    type: Literal["double"]
    minval: Finite
    maxval: Finite


class Log(_Range):
    """``base`` to the power of an exponent between minval and maxval."""

    type: Literal["log"]
    base: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10.0
    minval: Finite
    maxval: Finite
    step: Annotated[float, Field(gt=0)] | None = None
    """Of the exponent."""

    @property
    def span(self) -> tuple[float, float]:
        """The smallest and the largest value; ``minval`` and ``maxval`` are exponents."""
        ends = self.base**self.minval, self.base**self.maxval
        return min(ends), max(ends)

    def _steps_to(self, value: float) -> float | None:
        if self.step is None or value <= 0 or self.base == 1:
            return None
        return (math.log(value) / math.log(self.base) - self.minval) / self.step

    def _after_steps(self, count: int) -> float:
        return float(self.base ** super()._after_steps(count))

    @model_validator(mode="after")
    def _varies(self) -> Self:
        if self.base == 1:
            raise PydanticCustomError("base", "base is 1, of which every power is 1; leave it out for 10", {})
        return self

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
    def _are_constants(self) -> Self:
        if holds_parameter(self.vals):
            raise _never_varies("each of vals is a constant")
        return self

    @model_validator(mode="after")
    def _prior_listed(self) -> Self:
        if self.prior is not None and self.prior not in self.vals:
            raise PydanticCustomError("range", "prior {prior} is none of vals", {"prior": repr(self.prior)})
        return self


class Nested(RootModel[dict[str, "Hyperparameter"]]):
    """Hyperparameters under a common key."""

    model_config = ConfigDict(frozen=True)


def is_group(value: Any) -> bool:
    """Is something in a configuration a group of hyperparameters?"""
    return _kind(value) == "nested"


def _kind(value: Any) -> str:
    if isinstance(value, Nested):
        return "nested"
    if isinstance(value, _Parameter):
        return str(getattr(value, "type"))  # noqa: B009
    if not isinstance(value, Mapping):
        return "const"
    if "type" in value and not isinstance(value["type"], Mapping):
        return str(value["type"])
    return UNREADABLE if is_parameter(value) or is_conditional_group(value) else "nested"


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


_parsed = lru_cache(maxsize=1024)(Expression)


def _applies(condition: Expression, values: Mapping[str, Any]) -> bool:
    return all(find(values, name) is not MISSING for name in condition.names) and condition.holds(values)


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
