"""Reports: what a trial's process says, as events."""

from dataclasses import dataclass

from etude.artifacts.places import CheckpointPlace
from etude.events import AllocationGranted, CheckpointReference, CheckpointSaved, ValidationCompleted
from etude_trial_runner.messages import OwnCheckpoint, Saved, Validated


@dataclass(frozen=True)
class Reporter:
    """Speaks for a trial under one lease, and says of its own where checkpoints lie.

    Attributes
    ----------
    storage : URL of the experiment's storage
    """

    experiment_id: str
    granted: AllocationGranted
    storage: str

    def validation(self, said: Validated) -> ValidationCompleted:
        """A validation that the process reports."""
        return ValidationCompleted(
            runner_id=self.granted.runner_id,
            trial_id=self.granted.trial_id,
            lease_number=self.granted.lease_number,
            length=said.length,
            metrics=said.metrics,
            information=said.information,
            checkpoint=self._reference(said.checkpoint) if said.checkpoint else None,
            seconds=said.seconds,
        )

    def checkpoint(self, said: Saved) -> CheckpointSaved:
        """A checkpoint that the process has saved.

        Raises
        ------
        ValueError
            It was saved under another lease, or is of another length than the message.
        """
        if (said.lease, said.reached) != (self.granted.lease_number, said.length.amount):
            raise ValueError(
                f"a checkpoint of lease {said.lease} at {said.reached} is none of this lease at {said.length}"
            )
        return CheckpointSaved(
            trial_id=self.granted.trial_id,
            lease_number=self.granted.lease_number,
            uri=self._reference(said).uri,
            length=said.length,
            files=said.files,
        )

    def _reference(self, said: OwnCheckpoint) -> CheckpointReference:
        place = CheckpointPlace(
            self.storage, self.experiment_id, self.granted.trial_id, said.lease, said.reached, said.copied
        )
        return CheckpointReference(uri=place.uri, length=said.reached)
