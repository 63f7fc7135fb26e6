"""Messages: all that a trial's process may say. It is a stranger: it names no place, no id and no event."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from etude.core.link import Message
from etude.events import FileEntry, Length

_MOST_METRICS = 10_000
_MOST_FILES = 100_000
_LONGEST_TEXT = 100_000  # characters
Count = Annotated[int, Field(ge=0, lt=2**53)]
Name = Annotated[str, Field(max_length=1000)]
Metrics = Annotated[dict[Name, float], Field(max_length=_MOST_METRICS)]
"""Numbers that JSON does not have come as text."""
Detail = Annotated[str, Field(max_length=_LONGEST_TEXT)]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class OwnCheckpoint(_Message):
    """A checkpoint of the trial itself: the lease under which it was saved, its length, and which of those.

    The runner derives its place from that.
    """

    lease: Count
    reached: Count
    copied: Annotated[Count, Field(alias="copy")] = 0


class Trained(_Message):
    """Training metrics."""

    say: Literal["training"]
    length: Length
    metrics: Metrics = {}


class Validated(_Message):
    """A validation, and the checkpoint of the same length, if there is one."""

    say: Literal["validation"]
    length: Length
    metrics: Metrics = {}
    information: Annotated[dict[Name, JsonValue], Field(max_length=_MOST_METRICS)] = {}
    checkpoint: OwnCheckpoint | None = None
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class Saved(OwnCheckpoint):
    """A checkpoint is whole."""

    say: Literal["checkpoint"]
    length: Length
    files: Annotated[list[FileEntry], Field(max_length=_MOST_FILES)]


class Waiting(_Message):
    """It is where it is to train to, and waits for what is decided."""

    say: Literal["waiting"]
    length: Length


class Failed(_Message):
    """It cannot go on."""

    say: Literal["failed"]
    detail: Detail
    retryable: bool = True


class InvalidHyperparameters(_Message):
    """It refuses its hyperparameters."""

    say: Literal["invalid-hyperparameters"]
    detail: Detail


class Interrupted(_Message):
    """A signal told it to end."""

    say: Literal["interrupted"]


class Ending(_Message):
    """Its code has ended."""

    say: Literal["ending"]


Said = Trained | Validated | Saved | Waiting | Failed | InvalidHyperparameters | Interrupted | Ending
_SAID: TypeAdapter[Said] = TypeAdapter(Annotated[Said, Field(discriminator="say")])


def read(message: Message) -> Said:
    """What a process said.

    Raises
    ------
    ValueError
        It is nothing that may be said.
    """
    return _SAID.validate_python(message)
