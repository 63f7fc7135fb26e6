"""Assignment: what a trial's process is told at its start."""

from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from etude.events import CheckpointReference, Hyperparameters, Length


class Assignment(BaseModel):
    """One allocation, as the process that carries it out sees it.

    Attributes
    ----------
    model_directory : the unpacked model definition
    storage : URL under which checkpoints go
    slots, kind : ids of the slots that it may use, ``cuda`` or ``cpu``
    threads : CPU threads that it may use
    """

    model_config = ConfigDict(frozen=True)

    experiment_id: str
    trial_id: int
    lease_number: int
    config: dict[str, JsonValue]
    hyperparameters: Hyperparameters
    trial_seed: int
    train_until: Length
    checkpoint: CheckpointReference | None = None
    model_directory: str = "."
    storage: str
    slots: list[str] = []
    kind: str = "cpu"
    threads: int = 1
    environment: dict[str, str] = {}

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return self.model_dump(mode="json", exclude_none=True)
