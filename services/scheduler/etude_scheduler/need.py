"""Need: what a trial wants of a fleet. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Need:
    """Slots, and where.

    Attributes
    ----------
    slots : 0 for a trial that only needs a CPU, below 1 for a part of one slot, else a whole number of them
    labels : a runner must have all of these
    avoid : runners that are taken only if no other is able
    """

    slots: float
    labels: frozenset[str] = frozenset()
    avoid: frozenset[str] = frozenset()

    @property
    def whole(self) -> int:
        """How many slots it keeps others from having whole."""
        return -int(-self.slots // 1)

    @property
    def share(self) -> float:
        """Of each slot."""
        return self.slots if 0 < self.slots < 1 else 1.0

    def __str__(self) -> str:
        slots = f"{self.slots:g} slot{'' if self.slots == 1 else 's'}"
        return f"{slots} on a runner labelled {', '.join(sorted(self.labels))}" if self.labels else slots
