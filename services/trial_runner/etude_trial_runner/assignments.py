"""Assignments: what each of a trial's processes on this machine is to do."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from etude.artifacts import storage_url
from etude.config import ExperimentConfig
from etude.core.assignment import Assignment
from etude.events import AllocationGranted


@dataclass(frozen=True)
class Place:
    """What a machine has for its trials.

    Attributes
    ----------
    storage : URL of the runner's own storage, for experiments that name none
    kind : of its slots, ``cuda`` or ``cpu``
    threads : CPU threads for each slot
    address : where the processes of a gang meet
    temporary_prefix : how the names of temporary folders begin
    """

    storage: str
    kind: str = "cpu"
    threads: int = 1
    address: str = "127.0.0.1"
    temporary_prefix: str = "etude-trial-"


def process_count(granted: AllocationGranted) -> int:
    """A process for each slot, and one for a trial that has none or a part of one."""
    return max(len(granted.slots), 1)


def world_size(granted: AllocationGranted) -> int:
    """How many processes the trial has on all machines."""
    return granted.gang.size if granted.gang else process_count(granted)


def assignments(
    experiment_id: str,
    granted: AllocationGranted,
    config: ExperimentConfig,
    place: Place,
    *,
    model_directory: Path,
    temporary: Path,
    rendezvous: str,
) -> list[Assignment]:
    """One for each process.

    Parameters
    ----------
    config : that of ``granted``, validated
    model_directory : the unpacked model definition
    temporary : a folder that goes with the processes
    rendezvous : host and port where they meet, if they are several
    """
    first = granted.gang.first_rank if granted.gang else 0
    count = process_count(granted)
    return [
        Assignment(
            experiment_id=experiment_id,
            trial_id=granted.trial_id,
            lease_number=granted.lease_number,
            config=granted.config,
            hyperparameters=granted.hyperparameters,
            trial_seed=granted.trial_seed,
            train_until=granted.train_until,
            checkpoint=granted.checkpoint,
            model_directory=str(model_directory),
            storage=storage_url(config.checkpoint_storage, place.storage),
            slots=granted.slots,
            kind=place.kind,
            share=granted.share,
            threads=max(1, int(place.threads * granted.share)),
            environment=config.environment.variables(place.kind),
            rank=first + number,
            size=world_size(granted),
            local_rank=number,
            local_size=count,
            rendezvous=rendezvous,
            isolation=config.environment.isolation,
            network=config.environment.network,
            temporary=str(temporary),
        )
        for number in range(count)
    ]


def write_assignment(assignment: Assignment, folder: Path) -> Path:
    """A new file in ``folder``, which nobody else may read, for the process that is to carry it out."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix="assignment-", suffix=".json", delete=False) as file:
        path = Path(file.name)
        try:
            file.write(json.dumps(assignment.to_json()))
            file.flush()
        except OSError:
            path.unlink()
            raise
    return path
