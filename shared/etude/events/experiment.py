"""Events about experiments: what people ask for, and what the searcher answers."""

from typing import Annotated, ClassVar

from pydantic import Field, JsonValue

from etude.events.event import BestTrial, Event, ModelDefinition, Record, TrialId
from etude.events.length import Length

Revision = Annotated[
    int,
    Field(ge=0, description="Sequence number of the decision that made the state; the highest one holds."),
]


class ExperimentCreated(Event):
    """A client asks for a new experiment."""

    type: ClassVar[str] = "etude.experiment.created.v1"

    config: dict[str, JsonValue]
    model_definition: ModelDefinition
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    owner: str = ""


class ExperimentPauseRequested(Event):
    """A person wants the experiment to free its slots, keeping all checkpoints."""

    type: ClassVar[str] = "etude.experiment.pause-requested.v1"

    requested_by: str = ""


class ExperimentActivateRequested(Event):
    """A person wants a paused experiment to go on."""

    type: ClassVar[str] = "etude.experiment.activate-requested.v1"

    requested_by: str = ""


class ExperimentCancelRequested(Event):
    """A person wants the experiment to end; running trials write a checkpoint first."""

    type: ClassVar[str] = "etude.experiment.cancel-requested.v1"

    requested_by: str = ""


class ExperimentKillRequested(Event):
    """A person wants the experiment to end at once, without checkpoints."""

    type: ClassVar[str] = "etude.experiment.kill-requested.v1"

    requested_by: str = ""


class ExperimentDeleteRequested(Event):
    """A person wants an experiment that is over to be gone, with all that is known of it and its checkpoints."""

    type: ClassVar[str] = "etude.experiment.delete-requested.v1"

    requested_by: str = ""


class ExperimentArchiveRequested(Event):
    """A person wants the experiment out of sight in lists, or back; nothing else changes."""

    type: ClassVar[str] = "etude.experiment.archive-requested.v1"

    archived: bool = True
    requested_by: str = ""


class ExperimentChangeRequested(Event):
    """A person wants other settings while the experiment runs; absent fields stay as they are."""

    type: ClassVar[str] = "etude.experiment.change-requested.v1"

    requested_by: str = ""
    max_concurrent_trials: Annotated[int, Field(ge=0)] | None = None
    max_trials: Annotated[int, Field(ge=1)] | None = None
    max_length: Length | None = None
    hyperparameters: Annotated[
        dict[str, JsonValue] | None,
        Field(description="Ranges to narrow or widen, as in the configuration; what is not named stays as it is."),
    ] = None
    priority: int | None = None
    weight: Annotated[float, Field(gt=0)] | None = None
    labels: list[str] | None = None


class ExperimentRetryRequested(Event):
    """A person wants trials that were given up to be tried again, from their latest checkpoints."""

    type: ClassVar[str] = "etude.experiment.retry-requested.v1"

    trial_ids: Annotated[list[TrialId], Field(description="None for all that were given up.")] = []
    requested_by: str = ""


class ExperimentResyncRequested(Event):
    """Somebody knows too little of the experiment, and wants all its decisions published again.

    Of an experiment that the searcher does not know, it says that it is deleted: there is no more to come.
    """

    type: ClassVar[str] = "etude.experiment.resync-requested.v1"

    requested_by: str = ""


class ExperimentChangeRefused(Event):
    """A change that the search cannot make, a retry, or a deletion before its end; it goes on as before."""

    type: ClassVar[str] = "etude.experiment.change-refused.v1"

    revision: Revision
    reason: str
    requested_by: str = ""


class ConfigProblem(Record):
    """One mistake in a configuration."""

    path: str
    message: str
    line: int | None = None


class ExperimentRejected(Event):
    """The configuration cannot be run; every mistake is listed."""

    type: ClassVar[str] = "etude.experiment.rejected.v1"

    errors: list[ConfigProblem]


class ExperimentActivated(Event):
    """The experiment runs (again). Carries all that the scheduler must know to place its trials."""

    type: ClassVar[str] = "etude.experiment.activated.v1"

    revision: Revision
    config: dict[str, JsonValue]
    model_definition: ModelDefinition


class ExperimentPaused(Event):
    """The experiment keeps its checkpoints and frees its slots."""

    type: ClassVar[str] = "etude.experiment.paused.v1"

    revision: Revision


class ExperimentProgressed(Event):
    """How far the search is."""

    type: ClassVar[str] = "etude.experiment.progressed.v1"

    revision: Revision
    progress: Annotated[float, Field(ge=0, le=1)]
    trials: Annotated[int, Field(ge=0, description="Trials requested so far.")]
    best: BestTrial | None = None


class ExperimentCompleted(Event):
    """The search is over; here is its result."""

    type: ClassVar[str] = "etude.experiment.completed.v1"

    revision: Revision
    trials: int
    best: BestTrial


class ExperimentFailed(Event):
    """The search cannot go on."""

    type: ClassVar[str] = "etude.experiment.failed.v1"

    revision: Revision
    reason: str
    best: BestTrial | None = None


class ExperimentCanceled(Event):
    """The search was ended by a person."""

    type: ClassVar[str] = "etude.experiment.canceled.v1"

    revision: Revision
    killed: bool = False
    requested_by: str = ""
    best: BestTrial | None = None


class ExperimentDeleted(Event):
    """The searcher has forgotten the experiment, and everyone else is to do so; what is still told of it is ignored."""

    type: ClassVar[str] = "etude.experiment.deleted.v1"

    revision: Revision
    requested_by: str = ""
