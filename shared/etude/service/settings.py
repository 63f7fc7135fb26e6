"""Settings: what a service is told by ``ETUDE_*`` environment variables."""

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from etude.errors import Failure

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def default_storage() -> str:
    """Where artifacts go if nobody says otherwise."""
    return f"file://{Path.home() / '.etude' / 'artifacts'}"


class Settings(BaseSettings):
    """What all services have in common."""

    model_config = SettingsConfigDict(env_prefix="ETUDE_", env_ignore_empty=True, extra="ignore")

    amqp_url: str = "amqp://guest:guest@127.0.0.1:5672/"
    mongo_url: str = "mongodb://127.0.0.1:27017"
    database: str = "etude"
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    pool: str = "default"
    """Resource pool that a scheduler or runner serves."""
    storage: str = Field(default_factory=default_storage)
    """fsspec URL of model definitions, and of checkpoints of experiments that name no storage."""
    repair_seconds: Annotated[float, Field(gt=0)] = 300.0
    """How often what should be is compared with what is."""


def from_environment(kind: type[SettingsT]) -> SettingsT:
    """Settings as the environment has them.

    Raises
    ------
    Failure
        Variables have values that cannot be used; every one is named.
    """
    prefix = str(kind.model_config.get("env_prefix", ""))
    try:
        return kind()
    except ValidationError as error:
        mistakes = [f"{prefix}{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors(include_input=False)]
        raise Failure("; ".join(mistakes)) from None
    except SettingsError as error:
        example = f'{prefix}PRELOAD=["torch"]'
        raise Failure(f"{error}: {error.__cause__}; lists and mappings are written as JSON: {example}") from None
