"""Settings: what a service is told by ``ETUDE_*`` environment variables."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


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
