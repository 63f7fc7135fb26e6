"""Earlier leases: checkpoints that a lost runner saved and could not report any more."""

from etude.artifacts import storage_url
from etude.artifacts.checkpoint import earlier_checkpoints
from etude.artifacts.places import CheckpointPlace
from etude.config import parse
from etude.events import AllocationGranted, CheckpointSaved


def read_earlier_checkpoints(experiment_id: str, granted: AllocationGranted, storage: str) -> list[CheckpointSaved]:
    """All whole checkpoints of a trial that were saved under leases before the granted one.

    A checkpoint becomes visible before its event is published. If a runner dies between the two, nobody knows of the
    files, and nobody would ever delete them. Those that are known already may be reported again.

    Parameters
    ----------
    storage : URL of the runner's own storage, for experiments that name none
    """
    place = storage_url(parse(granted.config).checkpoint_storage, storage)
    first_of_this = CheckpointPlace(place, experiment_id, granted.trial_id, granted.lease_number, 0)
    return [manifest.announce(uri) for uri, manifest in earlier_checkpoints(first_of_this.uri)]
