"""The `searcher` section: one model for each search method."""

from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from etude.events import Length


class SamplerConfig(BaseModel):
    """Which sampler draws hyperparameters; further fields are the sampler's own."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = "random"


class _Searcher(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    default_sampler: ClassVar[str] = "random"

    metric: Annotated[str, Field(min_length=1)]
    smaller_is_better: bool = True
    source_trial_id: JsonValue = None
    source_checkpoint_uuid: str | None = None
    max_length: Length
    max_concurrent_trials: Annotated[int, Field(ge=0)] = 16
    sampler: SamplerConfig | None = None

    @property
    def sampler_name(self) -> str:
        """The sampler asked for, or the method's own choice."""
        return self.sampler.name if self.sampler else self.default_sampler

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.source_trial_id is not None and self.source_checkpoint_uuid is not None:
            raise PydanticCustomError("source", "give source_trial_id or source_checkpoint_uuid, not both", {})
        if self.max_length.amount < 1:
            raise PydanticCustomError("length", "max_length must be at least 1", {})
        return self


class SingleConfig(_Searcher):
    """One trial, trained to the end."""

    name: Literal["single"]


class RandomConfig(_Searcher):
    """Independent draws, each trained to the end."""

    name: Literal["random"]
    max_trials: Annotated[int, Field(ge=1)]


class GridConfig(_Searcher):
    """One trial for each point of the grid."""

    name: Literal["grid"]
    default_sampler: ClassVar[str] = "grid"


class AsyncHalvingConfig(_Searcher):
    """Asynchronous successive halving (ASHA)."""

    name: Literal["async_halving"]
    num_rungs: Annotated[int, Field(ge=1)]
    max_trials: Annotated[int, Field(ge=1)]
    divisor: Annotated[float, Field(gt=1)] = 4
    stop_once: bool = False


SearcherConfig = Annotated[SingleConfig | RandomConfig | GridConfig | AsyncHalvingConfig, Field(discriminator="name")]
_MODELS = (SingleConfig, RandomConfig, GridConfig, AsyncHalvingConfig)


def searcher_names() -> list[str]:
    """The names that a searcher section may have."""
    return [name for model in _MODELS for name in get_args(model.model_fields["name"].annotation)]


def searcher_fields(raw: Any) -> set[str]:
    """The fields that a raw searcher section may have, for naming the nearest one."""
    name = raw.get("name") if isinstance(raw, dict) else None
    for model in _MODELS:
        if name in get_args(model.model_fields["name"].annotation):
            return set(model.model_fields)
    return set(_Searcher.model_fields) | {"name"}
