"""Share: what the scheduler must know of an experiment to place its trials. Pure."""

from dataclasses import dataclass
from typing import Any, Self

from etude.document_version import VERSION_FIELD, check_version, known_fields
from etude.events import CloseReason, ModelDefinition

DEFAULT_PRIORITY = 42  # as Determined's
_FORMAT = 1
"""Of share documents. Rises when an earlier version would misread what this one writes."""


@dataclass
class Share:
    """One experiment's claim on a pool; a document of ``experiment_shares``.

    Attributes
    ----------
    state : ``active``, ``paused``, ``ended`` or ``deleted``, as of ``revision``: of two events the one with the higher
    revision holds
    killed : it ended by being killed
    """

    experiment_id: str
    pool: str
    state: str = "active"
    revision: int = -1
    killed: bool = False
    config: dict[str, Any] | None = None
    model_definition: dict[str, Any] | None = None

    @property
    def active(self) -> bool:
        """May its trials run?"""
        return self.state == "active" and self.config is not None

    @property
    def ended(self) -> bool:
        """Will its trials never run again, unless it is extended?"""
        return self.state in ("ended", "deleted")

    @property
    def deleted(self) -> bool:
        """Is nothing to be left of it, once its trials hold no slots?"""
        return self.state == "deleted"

    @property
    def max_restarts(self) -> int:
        """Restarts that each trial has."""
        return int((self.config or {}).get("max_restarts", 5))

    @property
    def max_slots(self) -> int | None:
        """The most slots that its trials may hold together."""
        limit = self._resources.get("max_slots")
        return None if limit is None else int(limit)

    @property
    def weight(self) -> float:
        """Its share, against those of others."""
        return float(self._resources.get("weight") or 1.0)

    @property
    def priority(self) -> int:
        """Smaller goes first."""
        priority = self._resources.get("priority")
        return DEFAULT_PRIORITY if priority is None else int(priority)

    @property
    def runner_labels(self) -> frozenset[str]:
        """Labels that a runner must have."""
        return frozenset(self._resources.get("runner_labels") or ())

    @property
    def _resources(self) -> dict[str, Any]:
        return (self.config or {}).get("resources") or {}

    @property
    def definition(self) -> ModelDefinition:
        """The model definition."""
        return ModelDefinition.model_validate(self.model_definition)

    @property
    def ending(self) -> CloseReason | None:
        """What becomes of trials that are open when the experiment has ended."""
        if not self.ended:
            return None
        return CloseReason.KILLED if self.killed else CloseReason.CANCELED

    def become(self, state: str, revision: int, killed: bool = False) -> None:
        """Take a state over, unless a later one is known; nothing comes after "deleted"."""
        if not self.deleted and (state == "deleted" or revision >= self.revision):
            self.state, self.revision, self.killed = state, revision, killed or (state == "deleted" and self.killed)

    def to_document(self) -> dict[str, Any]:
        """As it is stored."""
        return {"_id": self.experiment_id, **vars(self), VERSION_FIELD: _FORMAT}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """As it was stored."""
        check_version(document, _FORMAT)
        return cls(**known_fields(cls, document))
