"""Material: what figures and exports are made of, as the query API tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Material:
    """What is known of one experiment; parts that nobody asked for are empty.

    Attributes
    ----------
    experiment : with its ``config``
    trials : by number
    curves : validations of each trial: ``trial_id``, ``lengths``, ``values``
    best : validations that were better than all before them
    allocations : who ran where and when
    decisions : the search log
    """

    experiment: Document
    trials: Sequence[Document] = ()
    curves: Sequence[Document] = ()
    best: Sequence[Document] = ()
    allocations: Sequence[Document] = ()
    decisions: Sequence[Document] = field(default=())

    @property
    def metric(self) -> str:
        """What the search is for."""
        return self.experiment["metric"] or "metric"

    @property
    def smaller_is_better(self) -> bool:
        """Which way is better."""
        return bool(self.experiment["smaller_is_better"])

    @property
    def unit(self) -> str:
        """Of lengths."""
        return next((str(curve["unit"]) for curve in self.curves if curve["lengths"]), "batches")
