"""Places: where a checkpoint lies follows from what it is of, and not from what anybody says."""

import re
from dataclasses import dataclass
from typing import Self

from etude.artifacts.errors import ArtifactError

_FOLDER = "checkpoints"
_PLACE = re.compile(
    rf"(?P<storage>.+)/{_FOLDER}/(?P<experiment>[^/]+)/(?P<trial>\d+)/(?P<lease>\d+)-(?P<length>\d+)"
    r"(?:-(?P<copy>\d+))?"
)


class PlaceError(ArtifactError):
    """A URI names what is no place of a checkpoint, or of one of somebody else."""


@dataclass(frozen=True)
class CheckpointPlace:
    """Where a checkpoint lies: under its lease, so that nobody writes over a successor's.

    Attributes
    ----------
    storage : URL of the experiment's storage
    copy : counts those of one lease and length

    >>> place = CheckpointPlace("s3://bucket/etude", "aa1eed5483", trial_id=7, lease_number=2, length=90)
    >>> place.uri
    's3://bucket/etude/checkpoints/aa1eed5483/7/2-90'
    >>> CheckpointPlace.of(place.uri) == place
    True
    """

    storage: str
    experiment_id: str
    trial_id: int
    lease_number: int
    length: int
    copy: int = 0

    @property
    def uri(self) -> str:
        """As a URI."""
        name = f"{self.lease_number}-{self.length}" + (f"-{self.copy}" if self.copy else "")
        return f"{experiment_folder(self.storage, self.experiment_id)}/{self.trial_id}/{name}"

    @classmethod
    def of(cls, uri: str) -> Self:
        """The place that a URI names.

        Raises
        ------
        PlaceError
            It names none.
        """
        found = _PLACE.fullmatch(uri)
        if found is None or ".." in uri.split("/"):
            raise PlaceError(f"{uri!r:.200} is no place of a checkpoint")
        return cls(
            found["storage"],
            found["experiment"],
            int(found["trial"]),
            int(found["lease"]),
            int(found["length"]),
            int(found["copy"] or 0),
        )


def experiment_folder(storage: str, experiment_id: str) -> str:
    """The URI of what holds a folder for each trial of an experiment.

    >>> experiment_folder("s3://bucket/etude", "aa1eed5483")
    's3://bucket/etude/checkpoints/aa1eed5483'
    """
    return f"{storage.rstrip('/')}/{_FOLDER}/{experiment_id}"


def place_of_trial(uri: str, experiment_id: str, trial_id: int, storage: str | None = None) -> CheckpointPlace:
    """The place that a URI names, if it is one of a trial.

    Parameters
    ----------
    storage : where it has to be; None for anywhere

    Raises
    ------
    PlaceError
        It is none, or another's, or elsewhere.
    """
    place = CheckpointPlace.of(uri)
    if (place.experiment_id, place.trial_id) != (experiment_id, trial_id):
        raise PlaceError(f"{uri!r:.200} is no checkpoint of trial {trial_id} of {experiment_id}")
    if storage is not None and place.storage != storage.rstrip("/"):
        raise PlaceError(f"{uri!r:.200} is not in the storage of its experiment, {storage}")
    return place
