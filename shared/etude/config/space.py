"""The hyperparameter space: what a configuration says may vary, and within which bounds. Drawing is the searcher's."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
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

KINDS = ("const", "int", "double", "log", "categorical")


class _Parameter(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Const(_Parameter):
    """A fixed value."""

    type: Literal["const"] = "const"
    val: JsonValue

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        return value if isinstance(value, Mapping) else {"type": "const", "val": value}


class _Range(_Parameter):
    count: Annotated[int, Field(ge=1)] | None = None

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


class Categorical(_Parameter):
    """One of several values, of any JSON type."""

    type: Literal["categorical"]
    vals: Annotated[list[JsonValue], Field(min_length=1)]


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


def _walk(members: Mapping[str, Any], prefix: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Parameter]]:
    for name in sorted(members):
        member = members[name]
        if isinstance(member, Nested):
            yield from _walk(member.root, (*prefix, name))
        else:
            yield (*prefix, name), member
