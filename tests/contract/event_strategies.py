"""Hypothesis strategies for events, made from their fields."""

import types
from datetime import UTC
from enum import Enum
from typing import Annotated, Any, Union, get_args, get_origin

import annotated_types
from hypothesis import strategies as st
from pydantic import AllowInfNan, BaseModel, JsonValue
from pydantic.fields import FieldInfo

from etude.events import Envelope, Event, FileEntry, Length, Unit

TEXT = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def envelopes() -> st.SearchStrategy[Envelope]:
    """Any event in its envelope."""
    return st.sampled_from(sorted(Event.registry.values(), key=lambda e: e.type)).flatmap(_envelopes_of)


def _envelopes_of(event: type[Event]) -> st.SearchStrategy[Envelope]:
    return st.builds(
        Envelope.wrap,
        models(event),
        source=st.text(min_size=1, max_size=20),
        time=st.datetimes(timezones=st.just(UTC)),
        experiment_id=st.none() | st.text(min_size=1, max_size=20),
        causation_id=st.none() | TEXT,
        pool=st.from_regex(r"\A[A-Za-z0-9_-]{1,8}\Z"),
    )


def models(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Instances of a model."""
    if model is Length:
        return st.builds(Length, unit=st.sampled_from(Unit), amount=st.integers(0, 2**40))
    fields = {name: _field(field) for name, field in model.model_fields.items()}
    if model is FileEntry:
        fields["path"] = st.from_regex(r"\A[A-Za-z0-9_-]{1,8}(/[A-Za-z0-9_-]{1,8}){0,2}\Z")
    return st.builds(model, **fields)


def _field(field: FieldInfo) -> st.SearchStrategy[Any]:
    return _values(field.annotation, field.metadata)


def _values(annotation: Any, constraints: list[Any]) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is JsonValue:
        return JSON
    if origin is Annotated:
        return _values(arguments[0], [*getattr(arguments[1], "metadata", []), *arguments[1:]])
    if origin in (Union, types.UnionType):
        return st.one_of([_values(argument, constraints) for argument in arguments])
    if origin is list:
        return st.lists(_values(arguments[0], []), max_size=3)
    if origin is dict:
        return st.dictionaries(TEXT, _values(arguments[1], []), max_size=3)
    return _scalars(annotation, constraints)


def _scalars(annotation: Any, constraints: list[Any]) -> st.SearchStrategy[Any]:
    low = next((c.ge for c in constraints if isinstance(c, annotated_types.Ge)), None)
    high = next((c.le for c in constraints if isinstance(c, annotated_types.Le)), None)
    below = next((c.lt for c in constraints if isinstance(c, annotated_types.Lt)), None)
    if annotation is type(None):
        return st.none()
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return st.integers(
            -(2**53) if low is None else low, (2**53 if high is None else high) if below is None else below - 1
        )
    if annotation is float:
        anything = any(isinstance(c, AllowInfNan) for c in constraints)
        above = next((c.gt for c in constraints if isinstance(c, annotated_types.Gt)), None)
        if above is not None:
            return st.floats(above, high, exclude_min=True, allow_nan=anything, allow_infinity=anything)
        return st.floats(low, high, allow_nan=anything, allow_infinity=anything)
    if annotation is str:
        return TEXT
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return models(annotation)
    return st.datetimes(timezones=st.just(UTC))
