"""Departures: what trials that a runner stopped have kept, and what they have lost."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Departure:
    """A trial that ended because its runner did.

    Attributes
    ----------
    reached, saved : how far it was, and how far its latest checkpoint is, both in ``unit``
    """

    trial_id: int
    reached: int
    saved: int
    unit: str

    @property
    def loss(self) -> str:
        """What is lost, in words; empty if nothing is."""
        if self.saved >= self.reached:
            return ""
        goes_on = f"goes on from {self.saved}" if self.saved else "begins anew"
        return f"trial {self.trial_id} was at {self.reached} {self.unit} and {goes_on}"


def describe_departures(departures: Sequence[Departure]) -> str:
    """What became of all that ran.

    >>> describe_departures([])
    'no trial was running'
    >>> describe_departures([Departure(1, 30, 30, "batches"), Departure(2, 8, 5, "batches")])
    '1 of 2 trials kept all they had trained; trial 2 was at 8 batches and goes on from 5'
    """
    losses = [departure.loss for departure in departures if departure.loss]
    count = len(departures)
    if not count:
        return "no trial was running"
    if not losses:
        return "the trial kept all it had trained" if count == 1 else f"all {count} trials kept all they had trained"
    kept = [f"{count - len(losses)} of {count} trials kept all they had trained"] if count > len(losses) else []
    return "; ".join([*kept, *losses])
