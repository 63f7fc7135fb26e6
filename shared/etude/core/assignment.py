"""Assignment: what a trial's process is told at its start."""

from pathlib import Path
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
    share : of each slot
    threads : CPU threads that it may use
    rank, size : number of this process among all of its trial, and how many there are
    local_rank, local_size : the same on this machine alone
    rendezvous : host and port where the processes meet, if there are several
    isolation, network : how it is kept from the rest of the machine, and whether it may use the network
    temporary : a folder that is removed with the trial's processes
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
    share: float = 1.0
    threads: int = 1
    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    rendezvous: str = ""
    isolation: str = "process"
    network: bool = True
    temporary: str = ""
    environment: dict[str, str] = {}

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return self.model_dump(mode="json", exclude_none=True)


def door(assignment: Assignment) -> Path:
    """The socket at which the runner waits for processes of the trial that did not inherit one."""
    return Path(assignment.temporary) / f"runner-{assignment.rank}.sock"
