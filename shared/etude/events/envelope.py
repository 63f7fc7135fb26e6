"""The envelope of every event: a CloudEvents 1.0 structured document."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID, uuid4, uuid5

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from etude.events.errors import EventError
from etude.events.event import Event

_NAMESPACE = UUID("7d0c5c0e-4c3a-5f0e-9d63-2f6f1b1f0a11")


class Envelope(BaseModel):
    """One event on the wire.

    Attributes
    ----------
    id : unique; for what a decision emits, derived from the decision, so that emitting it twice gives the same id
    source : who says so, such as ``searcher`` or ``runner/gpu-7``
    type : ``etude.<entity>.<verb>.v<n>``
    subject : what it is about, such as ``trials/12`` or ``runners/gpu-7``
    time : when it was said, UTC
    experimentid : the experiment it belongs to, if any
    causationid : id of the event that caused it, if any
    traceparent : W3C trace context, if any
    pool : resource pool, a word of the routing key
    data : the event itself
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings", defer_build=True)

    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"
    id: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    type: Annotated[str, Field(min_length=1)]
    subject: str = ""
    time: datetime
    experimentid: str | None = None
    causationid: str | None = None
    traceparent: str | None = None
    pool: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "default"
    data: SerializeAsAny[Event]

    @model_validator(mode="before")
    @classmethod
    def _read_data(cls, value: Any) -> Any:
        if isinstance(value, dict) and not isinstance(value.get("data"), Event):
            reader = Event.registry.get(str(value.get("type")))
            if reader is None:
                raise PydanticCustomError(
                    "event_type",
                    "no event of type {type} is known to this version; docs/asyncapi.yaml lists those that are",
                    {"type": repr(value.get("type"))},
                )
            try:
                return {**value, "data": reader.model_validate(value.get("data"))}
            except ValidationError as error:
                raise PydanticCustomError("event_data", "{places}", {"places": _places(error, "data")}) from None
        return value

    @field_validator("time")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        try:
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        except OverflowError:  # within a day of the years 1 and 9999
            raise PydanticCustomError("time", "there is no such time in UTC: {value}", {"value": str(value)}) from None

    @classmethod
    def wrap(
        cls,
        event: Event,
        *,
        source: str,
        time: datetime,
        id: str | None = None,
        experiment_id: str | None = None,
        causation_id: str | None = None,
        pool: str = "default",
        traceparent: str | None = None,
    ) -> Self:
        """Put an event into an envelope; without an ``id`` it gets a random one."""
        return cls(
            id=id or str(uuid4()),
            source=source,
            type=event.type,
            subject=_subject(event, experiment_id),
            time=time,
            experimentid=experiment_id,
            causationid=causation_id,
            traceparent=traceparent,
            pool=pool,
            data=event,
        )

    @classmethod
    def parse(cls, body: bytes | str) -> Self:
        """Read an envelope from JSON.

        Raises
        ------
        EventError
            The body is no such document, or its data does not fit its type; the message says where. Nothing else is
            raised, whatever the body: a consumer must lose one message to it, and never its session.
        """
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise EventError(f"not an etude event: {_places(error)}") from None
        except Exception as error:
            raise EventError(f"not an etude event: {error!r}") from error

    def to_bytes(self) -> bytes:
        """The JSON body."""
        return self.model_dump_json(exclude_none=True).encode()

    @property
    def experiment(self) -> str:
        """The experiment's id.

        Raises
        ------
        EventError
            The event should belong to an experiment but says none.
        """
        if not self.experimentid:
            raise EventError(f"{self.type} {self.id} has no experimentid; set that extension to the experiment's id")
        return self.experimentid


def derived_id(*parts: object) -> str:
    """An event id that is a function of its parts: the same decision always emits the same ids.

    >>> derived_id("exp", 3, 0) == derived_id("exp", 3, 0)
    True
    """
    return str(uuid5(_NAMESPACE, "/".join(map(str, parts))))


def _places(error: ValidationError, prefix: str = "") -> str:
    """Each mistake with its place."""
    told = []
    for item in error.errors(include_url=False)[:5]:
        place = ".".join(map(str, [prefix, *item["loc"]] if prefix else item["loc"]))
        told.append(f"{place}: {item['msg']}" if place else item["msg"])
    return "; ".join(told)


def _subject(event: Event, experiment_id: str | None) -> str:
    trial = getattr(event, "trial_id", None)
    runner = getattr(event, "runner_id", None)
    if trial is not None:
        return f"experiments/{experiment_id}/trials/{trial}"
    if runner:
        return f"runners/{runner}"
    if experiment_id is None:
        return f"pools/{getattr(event, 'pool', 'default')}"
    return f"experiments/{experiment_id}"
