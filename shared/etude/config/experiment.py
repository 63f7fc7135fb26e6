"""The experiment configuration: every field, its default and its rule."""

import math
import re
import shlex
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from etude.config.environment import BindMount, Environment, Memory
from etude.config.searcher import CustomConfig, GridConfig, SearcherConfig, SingleConfig
from etude.config.space import Const, Double, ExpressionText, Int, Log, Space
from etude.events import Length
from etude.names import quoted

_CLASS = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Resources(_Section):
    """What a trial needs, and how much the experiment may take."""

    slots_per_trial: Annotated[float, Field(ge=0)] = 1
    max_slots: Annotated[int, Field(ge=0)] | None = None
    weight: Annotated[float, Field(gt=0)] = 1
    priority: int | None = None
    shm_size: Memory | None = None
    """Bytes of shared memory of a container; also such as ``4 GiB``."""
    resource_pool: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "default"
    devices: JsonValue = None
    runner_labels: list[str] = []
    """Only runners that have all of these labels."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.max_slots is not None and self.slots_per_trial > self.max_slots:
            raise PydanticCustomError(
                "slots",
                "slots_per_trial {want} is above max_slots {most}: no trial could ever run",
                {"want": self.slots_per_trial, "most": self.max_slots},
            )
        if self.slots_per_trial > 1 and not self.slots_per_trial.is_integer():
            raise PydanticCustomError(
                "slots",
                "slots_per_trial {want} is neither a part of one slot nor a whole number of them",
                {"want": self.slots_per_trial},
            )
        return self


class Reproducibility(_Section):
    """Seeds."""

    experiment_seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None


class CheckpointStorage(BaseModel):
    """Where checkpoints go, and how many are kept. Fields of a storage type pass through."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: Literal["shared_fs", "s3", "gcs", "azure", "hdfs", "directory"] | None = None
    save_experiment_best: Annotated[int, Field(ge=0)] = 0
    save_trial_best: Annotated[int, Field(ge=0)] = 1
    save_trial_latest: Annotated[int, Field(ge=0)] = 1


class Optimizations(BaseModel):
    """How a PyTorchTrial trains; what is not known here passes through."""

    model_config = ConfigDict(frozen=True, extra="allow")

    aggregation_frequency: Annotated[int, Field(ge=1)] = 1
    """Batches whose gradients are added up before the optimizers step."""
    average_aggregated_gradients: bool = True


def _exponents_hint(name: str, parameter: Log) -> str:
    low, high = parameter.span
    least, most = (math.log(end) / math.log(parameter.base) for end in (parameter.minval, parameter.maxval))
    return (
        f"{name}: minval and maxval of type log are exponents: values lie between {low:.6g} and {high:.6g}; for values "
        f"between {parameter.minval:g} and {parameter.maxval:g} write minval: {least:.4g}, maxval: {most:.4g}"
    )


def _command(value: Any) -> Any:
    """As text; words of a list keep their spaces."""
    return shlex.join(map(str, value)) if isinstance(value, list) else value


def _has_words(entrypoint: str) -> str:
    try:
        words = shlex.split(entrypoint)
    except ValueError as error:
        raise PydanticCustomError("entrypoint", "cannot be split into words: {error}", {"error": str(error)}) from None
    if not words:
        raise PydanticCustomError("entrypoint", "has no word in it")
    return entrypoint


class ExperimentConfig(_Section):
    """A validated experiment configuration.

    Made by :func:`etude.config.load` or :func:`etude.config.parse`, which report every mistake with its place.
    """

    name: str = ""
    description: str = ""
    labels: list[str] = []
    entrypoint: Annotated[str, Field(min_length=1), AfterValidator(_has_words), BeforeValidator(_command)]
    hyperparameters: Space = Space({})
    constraints: list[ExpressionText] = []
    """What must hold for every trial's hyperparameters; see :mod:`etude.config.expression`."""
    searcher: SearcherConfig
    resources: Resources = Resources()
    scheduling_unit: Annotated[int, Field(ge=1)] = 100
    records_per_epoch: Annotated[int, Field(ge=1)] | None = None
    min_validation_period: Length | None = None
    min_checkpoint_period: Length | None = None
    perform_initial_validation: bool = False
    checkpoint_policy: Literal["best", "all", "none"] = "best"
    checkpoint_storage: CheckpointStorage = CheckpointStorage()
    max_restarts: Annotated[int, Field(ge=0)] = 5
    max_failed_trials: Annotated[int, Field(ge=0)] | None = None
    """Trials that may fail for good before the experiment fails; by default any number."""
    preemption_timeout: Annotated[float, Field(gt=0)] | None = None
    """Seconds in which a trial must end when its slots are wanted back, for it may have a checkpoint to save."""
    reproducibility: Reproducibility = Reproducibility()
    environment: Environment = Environment()
    data: JsonValue = None
    bind_mounts: list[BindMount] = []
    optimizations: Optimizations = Optimizations()
    profiling: JsonValue = None
    log_policies: JsonValue = None
    workspace: JsonValue = None
    project: JsonValue = None
    debug: JsonValue = None

    @property
    def not_acted_upon(self) -> list[str]:
        """What is said in fields that are accepted, and makes no difference."""
        said: dict[str, object] = {
            "profiling": self.profiling,
            "log_policies": self.log_policies,
            "debug": self.debug,
            "resources.devices": self.resources.devices,
        }
        if self.environment.isolation != "container":
            said |= {
                "bind_mounts": self.bind_mounts or None,
                "environment.image": self.environment.image,
                "resources.shm_size": self.resources.shm_size,
            }
        return [name for name, value in said.items() if value is not None]

    @property
    def warnings(self) -> list[str]:
        """What can be run, and is hardly what was meant."""
        told = []
        if ignored := self.not_acted_upon:
            told.append(f"accepted, but not acted upon: {', '.join(ignored)}")
        if not self.varies and not isinstance(self.searcher, SingleConfig | GridConfig | CustomConfig):
            told.append(
                "no hyperparameter varies: all trials get the same values; what varies has a type (int, double, log or "
                "categorical), and bare values and lists are constants"
            )
        for path, parameter in self.hyperparameters.parameters():
            if isinstance(parameter, Log) and 0 < parameter.minval < 0.5 and parameter.maxval >= 10 * parameter.minval:
                told.append(_exponents_hint(quoted(path), parameter))
        return told

    @property
    def runs_script(self) -> bool:
        """True if the entrypoint is a command line, False if it names a Trial class."""
        return not _CLASS.match(self.entrypoint)

    @model_validator(mode="after")
    def _grid_has_axes(self) -> Self:
        if isinstance(self.searcher, GridConfig):
            short = [
                ".".join(path)
                for path, parameter in self.hyperparameters.parameters()
                if isinstance(parameter, Int | Double | Log) and parameter.count is None and parameter.step is None
            ]
            if short:
                raise PydanticCustomError(
                    "grid",
                    "a grid needs a count or a step for {names}: say into how many points each is divided",
                    {"names": ", ".join(short)},
                )
        return self

    @property
    def varies(self) -> bool:
        """True if some hyperparameter can take more than one value."""
        return any(not isinstance(parameter, Const) for _, parameter in self.hyperparameters.parameters())

    def to_json(self) -> dict[str, JsonValue]:
        """The configuration as JSON values, as events and documents carry it."""
        return self.model_dump(mode="json", exclude_none=True)
