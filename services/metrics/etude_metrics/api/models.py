"""What the query API answers with."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue

T = TypeVar("T")


class Answer(BaseModel):
    """Fields of a document that are for everyone; others stay inside."""

    model_config = ConfigDict(extra="ignore")


class Page(BaseModel, Generic[T]):
    """Some items, and the cursor that asks for those after them (null at the end)."""

    items: list[T]
    next_cursor: str | None = None


class Experiment(Answer):
    """An experiment."""

    experiment_id: str
    version: int = 0
    name: str
    labels: list[str] = []
    archived: bool = False
    state: str
    progress: float
    trials: int
    metric: str | None
    smaller_is_better: bool
    best: dict[str, Any] | None
    reason: str | None
    refused: str | None
    errors: list[dict[str, Any]]
    owner: str
    created_at: str | None
    ended_at: str | None


class ExperimentInFull(Experiment):
    """An experiment and what it was made from."""

    config: dict[str, JsonValue] | None
    seed: int | None
    model_definition: dict[str, Any] | None
    trial_states: dict[str, int]


class Trial(Answer):
    """A trial. ``trained``, ``length`` and ``best.length`` are in the unit of ``target``.

    ``length`` is that of the latest validation; ``trained`` is further while the trial is on its way to the next.
    """

    experiment_id: str
    trial_id: int
    version: int = 0
    state: str
    hyperparameters: dict[str, JsonValue]
    bracket: int = 0
    rungs: list[int] = []
    target: dict[str, int] | None
    trained: int = 0
    length: int | None
    metrics: dict[str, float | None] | None
    best: dict[str, Any] | None
    attempt: int = 1
    restarts: int
    lease_number: int
    runner_id: str | None
    checkpoint: dict[str, Any] | None
    detail: str | None
    log_tail: list[str] = []
    requested_at: str | None
    ended_at: str | None


class Allocation(Answer):
    """A trial's time on a runner. Without an ``ended`` it runs, or its runner was lost."""

    experiment_id: str
    trial_id: int
    lease_number: int
    runner_id: str
    slots: list[str]
    began: str
    ended: str | None
    reason: str | None
    detail: str


class Importance(Answer):
    """How much of the differences between results a hyperparameter explains, from 0 to 1."""

    name: str
    importance: float


class Reached(Answer):
    """A trial on a rung: its result there, and what became of it after."""

    trial_id: int
    value: float | None
    fate: str


class Coming(Answer):
    """A trial on the way to a rung."""

    trial_id: int
    state: str


class Rung(Answer):
    """A rung of a bracket."""

    bracket: int
    length: int
    trials: list[Reached]
    coming: list[Coming]


class Runner(Answer):
    """A runner, as its scheduler sees it."""

    runner_id: str
    state: str
    reason: str
    host: str
    labels: list[str]
    slots: int
    held: float
    kind: str
    trials: list[str]


class Claim(Answer):
    """What an experiment holds of a pool, and why it holds no more."""

    experiment_id: str
    weight: float
    priority: int
    held: float
    waiting: int
    next_trial: int | None = None
    reason: str


class Pool(Answer):
    """A resource pool, as its scheduler last told."""

    pool: str
    time: str
    policy: str
    runners: list[Runner]
    claims: list[Claim]


class Placement(Answer):
    """Where a trial is, or why it is nowhere."""

    trial_id: int
    state: str
    runner_id: str | None
    reason: str


class Validation(Answer):
    """One validation of one trial."""

    trial_id: int
    lease_number: int
    length: int
    unit: str
    metrics: dict[str, float | None]
    checkpoint: str | None
    seconds: float
    time: str


class Curve(Answer):
    """The validations of one trial by length."""

    trial_id: int
    unit: str
    lengths: list[int]
    values: list[float | None]


class Point(Answer):
    """Training metrics at one length."""

    lease_number: int
    length: int
    unit: str
    metrics: dict[str, float | None]
    time: str


class Series(Answer):
    """One training metric of one trial by length."""

    metric: str
    unit: str
    lengths: list[int]
    values: list[float | None]


class Line(Answer):
    """One line of a trial's output."""

    lease_number: int
    number: int
    time: str
    stream: str
    rank: int = 0
    text: str


class TrialLine(Line):
    """One line of some trial's output."""

    trial_id: int


class RunnerLine(Answer):
    """One entry of a runner's own log."""

    time: str
    level: str
    text: str


class Told(Answer):
    """An event of a decision."""

    id: str = ""
    type: str
    data: dict[str, Any]


class Decision(Answer):
    """One decision of a search: the event that led to it, what was told, and why."""

    seq: int
    at: str
    cause: Told
    events: list[Told]
    reasons: list[str] = []


class Checkpoint(Answer):
    """A checkpoint and its files."""

    trial_id: int
    lease_number: int
    length: int
    unit: str
    uri: str
    size: int
    files: list[dict[str, Any]]
    time: str
    deleted: bool = False
