"""Event: the base of all that services tell each other. Data only."""

import builtins
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, AllowInfNan, BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema
from pydantic_core import from_json

TrialId = Annotated[int, Field(ge=1, description="Number of the trial within its experiment, from 1.")]
LeaseNumber = Annotated[
    int, Field(ge=0, description="Rises with each allocation of a trial; older numbers are ignored.")
]
Metric = Annotated[
    float,
    AllowInfNan(True),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}),
]
Metrics = Annotated[dict[str, Metric], Field(description="Scalar metrics by name.")]
Hyperparameters = dict[str, JsonValue]


class Record(BaseModel):
    """A frozen value inside an event. Unknown fields are ignored on reading, so that newer senders are understood."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        ser_json_inf_nan="strings",
        allow_inf_nan=False,
        defer_build=True,  # no process reads all of them, and each is to start at once
    )

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; numbers that JSON does not have become strings, and are read back from them."""
        # Through text: dumping to Python values leaves numbers that are not finite as they are (pydantic 2.14).
        return from_json(self.model_dump_json())  # type: ignore[no-any-return]


class Event(Record):
    """The ``data`` of one event. A subclass with a ``type`` is registered as the reader of that type."""

    type: ClassVar[str]
    addressed: ClassVar[bool] = False
    """True for a command to one runner, whose id then is the last word of the routing key."""
    telemetry: ClassVar[bool] = False
    """True for what travels on the telemetry exchange, so that it never delays a decision."""

    registry: ClassVar["dict[str, builtins.type[Event]]"] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "type" in cls.__dict__:
            Event.registry[cls.type] = cls

    @classmethod
    def name(cls) -> tuple[str, str]:
        """Entity and verb: ``("validation", "completed")`` for ``etude.validation.completed.v1``."""
        _, entity, verb, _ = cls.type.split(".")
        return entity, verb


def _stays_inside(path: str) -> str:
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in path or "\\" in path:
        raise ValueError(f"{path!r:.200} is no path of a file within a folder")
    return path


class FileEntry(Record):
    """One file of a checkpoint."""

    path: Annotated[
        str, AfterValidator(_stays_inside), Field(description="Within the checkpoint's folder: relative, without `..`.")
    ]
    size: Annotated[int, Field(ge=0, lt=2**63, description="Bytes.")]
    sha256: str


class CheckpointReference(Record):
    """Where a checkpoint lies, and how much training it holds."""

    uri: str
    length: Annotated[int, Field(ge=0, description="Length reached, in the unit of the experiment.")]
    foreign: Annotated[
        bool, Field(description="Of another trial: where training begins, not how far this trial is.")
    ] = False


class ModelDefinition(Record):
    """A content-addressed archive of the user's model directory."""

    uri: str
    sha256: str
    size: Annotated[int, Field(ge=0, description="Bytes.")]


class BestTrial(Record):
    """The best validation of an experiment so far."""

    trial_id: TrialId
    metric: str
    value: float
    hyperparameters: Hyperparameters
    length: int
    checkpoint: str | None = None


Timestamp = Annotated[datetime, Field(description="RFC 3339, UTC.")]
