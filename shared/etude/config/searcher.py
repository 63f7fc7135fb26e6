"""The `searcher` section: one model for each search method."""

from abc import abstractmethod
from importlib.metadata import entry_points
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, JsonValue, Tag, field_validator, model_validator
from pydantic_core import PydanticCustomError

from etude.events import Length, Unit

_PLUGIN = "plugin"


class SamplerConfig(BaseModel):
    """Which sampler draws hyperparameters; further fields are the sampler's own."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = "random"


class CommonSearcher(BaseModel):
    """What all searchers have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default_sampler: ClassVar[str] = "random"

    metric: Annotated[str, Field(min_length=1)]
    smaller_is_better: bool = True
    source_trial_id: JsonValue = None
    source_checkpoint_uuid: str | None = None
    max_concurrent_trials: Annotated[int, Field(ge=0)] = 16
    repeats: bool = False
    """May a draw equal an earlier one?"""
    sampler: SamplerConfig | None = None

    @property
    def sampler_name(self) -> str:
        """The sampler asked for, or the method's own choice."""
        return self.sampler.name if self.sampler else self.default_sampler

    @property
    @abstractmethod
    def longest(self) -> Length:
        """The most training that a trial can get; its unit is that of all lengths of the search."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.source_trial_id is not None and self.source_checkpoint_uuid is not None:
            raise PydanticCustomError("source", "give source_trial_id or source_checkpoint_uuid, not both", {})
        return self


class _WithMaxLength(CommonSearcher):
    max_length: Length

    @property
    def longest(self) -> Length:
        return self.max_length

    @field_validator("max_length")
    @classmethod
    def _some_training(cls, value: Length) -> Length:
        if value.amount < 1:
            raise PydanticCustomError("length", "must be at least 1 {unit}", {"unit": value.unit.value})
        return value


class SingleConfig(_WithMaxLength):
    """One trial, trained to the end."""

    name: Literal["single"]


class RandomConfig(_WithMaxLength):
    """Independent draws, each trained to the end."""

    name: Literal["random"]
    max_trials: Annotated[int, Field(ge=1)]


class GridConfig(_WithMaxLength):
    """One trial for each point of the grid."""

    name: Literal["grid"]
    default_sampler: ClassVar[str] = "grid"


class _Halving(_WithMaxLength):
    divisor: Annotated[float, Field(gt=1)] = 4


class AsyncHalvingConfig(_Halving):
    """Asynchronous successive halving (ASHA)."""

    name: Literal["async_halving"] = "async_halving"
    num_rungs: Annotated[int, Field(ge=1)]
    max_trials: Annotated[int, Field(ge=1)]
    stop_once: bool = False

    @model_validator(mode="after")
    def _rungs_fit(self) -> Self:
        rungs_must_fit("num_rungs", self.num_rungs, self.max_length)
        return self


class SyncHalvingConfig(_Halving):
    """Successive halving with a fixed population for each rung, given by ``max_trials`` or by ``budget``."""

    name: Literal["sync_halving"] = "sync_halving"
    num_rungs: Annotated[int, Field(ge=1)]
    max_trials: Annotated[int, Field(ge=1)] | None = None
    budget: Length | None = None
    train_stragglers: bool = True
    """Accepted; trials that cannot be promoted any more are finished to their target either way."""

    @model_validator(mode="after")
    def _population(self) -> Self:
        if (self.max_trials is None) == (self.budget is None):
            raise PydanticCustomError("population", "give max_trials or budget, one of them", {})
        budget_fits(self.budget, self.max_length)
        rungs_must_fit("num_rungs", self.num_rungs, self.max_length)
        return self


Mode = Literal["conservative", "standard", "aggressive"]
Rungs = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]


class _Adaptive(_Halving):
    mode: Mode = "standard"
    max_rungs: Annotated[int, Field(ge=1)] = 5
    bracket_rungs: Rungs | None = None

    @model_validator(mode="after")
    def _brackets_fit(self) -> Self:
        for rungs in self.bracket_rungs or []:
            rungs_must_fit("bracket_rungs", rungs, self.max_length)
        return self


class AdaptiveAshaConfig(_Adaptive):
    """Brackets of asynchronous halving."""

    name: Literal["adaptive_asha"]
    max_trials: Annotated[int, Field(ge=1)]
    stop_once: bool = False


class AdaptiveSimpleConfig(_Adaptive):
    """Brackets of synchronous halving, by the number of trials."""

    name: Literal["adaptive_simple"]
    max_trials: Annotated[int, Field(ge=1)]


class AdaptiveConfig(_Adaptive):
    """Brackets of synchronous halving, by a budget of training."""

    name: Literal["adaptive"]
    budget: Length
    train_stragglers: bool = True

    @model_validator(mode="after")
    def _budget(self) -> Self:
        budget_fits(self.budget, self.max_length)
        return self


class HyperbandConfig(_Halving):
    """Hyperband: every bracket from one rung to as many as the length holds."""

    name: Literal["hyperband"]
    divisor: Annotated[float, Field(gt=1)] = 3


class MedianStoppingConfig(_WithMaxLength):
    """Vizier's median rule: stop what is worse than the median of the others' running averages."""

    name: Literal["median_stopping"]
    max_trials: Annotated[int, Field(ge=1)]
    interval: Length | None = None
    """How often a trial is judged; by default ten times on its way."""
    grace_length: Length | None = None
    """No trial is stopped before; by default one interval."""
    min_trials: Annotated[int, Field(ge=1)] = 3
    """No trial is stopped before so many have been finished."""

    @model_validator(mode="after")
    def _units(self) -> Self:
        for name in ("interval", "grace_length"):
            length = getattr(self, name)
            if length is not None and (length.unit is not self.max_length.unit or length.amount < 1):
                raise PydanticCustomError(
                    "length",
                    "{name} must be at least 1, in the unit of max_length ({unit})",
                    {"name": name, "unit": self.max_length.unit.value},
                )
        return self


class Replace(BaseModel):
    """Who is replaced after a round."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    truncate_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.2


class Explore(BaseModel):
    """How the hyperparameters of a replacement differ from those of the trial that it is cloned from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resample_probability: Annotated[float, Field(ge=0, le=1)] = 0.2
    perturb_factor: Annotated[float, Field(ge=0, le=1)] = 0.2


class PbtConfig(CommonSearcher):
    """Population based training."""

    name: Literal["pbt"]
    population_size: Annotated[int, Field(ge=1)]
    length_per_round: Length
    num_rounds: Annotated[int, Field(ge=1)]
    replace_function: Replace = Replace()
    explore_function: Explore = Explore()
    max_concurrent_trials: Annotated[int, Field(ge=0)] = 0

    @property
    def longest(self) -> Length:
        """A trial that is never replaced trains for every round."""
        return Length(unit=self.length_per_round.unit, amount=self.length_per_round.amount * self.num_rounds)

    @field_validator("length_per_round")
    @classmethod
    def _some_training(cls, value: Length) -> Length:
        if value.amount < 1:
            raise PydanticCustomError("length", "must be at least 1 {unit}", {"unit": value.unit.value})
        return value


class CustomConfig(CommonSearcher):
    """A method that runs outside, and answers by events."""

    name: Literal["custom"]
    method: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    """The name under which it is served."""
    unit: Unit = Unit.BATCHES
    """Of all lengths of the search."""
    options: dict[str, JsonValue] = {}
    """For the method."""

    @property
    def longest(self) -> Length:
        """Nobody here knows; only the unit counts."""
        return Length(unit=self.unit, amount=1)


class PluginConfig(_WithMaxLength):
    """A search method that another distribution brings; further fields are its own."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str


_MODELS: dict[str, type[CommonSearcher]] = {
    get_args(model.model_fields["name"].annotation)[0]: model
    for model in (
        SingleConfig,
        RandomConfig,
        GridConfig,
        AsyncHalvingConfig,
        SyncHalvingConfig,
        AdaptiveAshaConfig,
        AdaptiveSimpleConfig,
        AdaptiveConfig,
        HyperbandConfig,
        MedianStoppingConfig,
        PbtConfig,
        CustomConfig,
    )
}

OWN_SEARCHERS = tuple(_MODELS)
"""The names of the search methods that etude brings."""


def searcher_names() -> list[str]:
    """The names that a searcher section may have: ours, and those of installed plug-ins."""
    return [*_MODELS, *sorted(entry_points(group="etude.search_methods").names - _MODELS.keys())]


def searcher_fields(raw: Any) -> set[str]:
    """The fields that a raw searcher section may have, for naming the nearest one."""
    name = raw.get("name") if isinstance(raw, dict) else None
    return set((_MODELS.get(str(name)) or CommonSearcher).model_fields) | {"name"}


def rungs_must_fit(field: str, rungs: int, longest: Length) -> None:
    """Every rung trains at least one more than the one below.

    Raises
    ------
    PydanticCustomError
        There are more rungs than the length has units.
    """
    if rungs > longest.amount:
        raise PydanticCustomError(
            "rungs",
            "{field}: {rungs} rungs do not fit into {longest}: each trains at least one more than the one below",
            {"field": field, "rungs": rungs, "longest": str(longest)},
        )


def budget_fits(budget: Length | None, longest: Length) -> None:
    """A budget is at least one full training, in the same unit.

    Raises
    ------
    PydanticCustomError
        It is not.
    """
    if budget is not None and (budget.unit is not longest.unit or budget.amount < 1):
        raise PydanticCustomError(
            "budget", "budget must be at least 1, in the unit of max_length ({unit})", {"unit": longest.unit.value}
        )


def _kind(value: Any) -> str | None:
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
    if name is None or (isinstance(name, str) and name in _MODELS):
        return name
    return _PLUGIN if name in searcher_names() else str(name)


SearcherConfig = Annotated[
    Annotated[SingleConfig, Tag("single")]
    | Annotated[RandomConfig, Tag("random")]
    | Annotated[GridConfig, Tag("grid")]
    | Annotated[AsyncHalvingConfig, Tag("async_halving")]
    | Annotated[SyncHalvingConfig, Tag("sync_halving")]
    | Annotated[AdaptiveAshaConfig, Tag("adaptive_asha")]
    | Annotated[AdaptiveSimpleConfig, Tag("adaptive_simple")]
    | Annotated[AdaptiveConfig, Tag("adaptive")]
    | Annotated[HyperbandConfig, Tag("hyperband")]
    | Annotated[MedianStoppingConfig, Tag("median_stopping")]
    | Annotated[PbtConfig, Tag("pbt")]
    | Annotated[CustomConfig, Tag("custom")]
    | Annotated[PluginConfig, Tag(_PLUGIN)],
    Discriminator(_kind),
]
