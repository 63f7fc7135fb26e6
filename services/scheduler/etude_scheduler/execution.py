"""Execution: how far one trial is, where it runs, and what it should do next. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from etude.document_version import VERSION_FIELD, check_version, known_fields
from etude.events import CloseReason, Hyperparameters, Length, TrialRequested, Unit

_FORMAT = 1
"""Of trial documents. Rises when an earlier version would misread what this one writes."""

_EXTENSIBLE = (CloseReason.STOPPED.value, CloseReason.FINISHED.value)
Key = tuple[str, int]
"""Experiment and number of a trial."""


class Want(StrEnum):
    """What a trial should do next."""

    TRAIN = "train"
    DECISION = "decision"
    """It reached its target: the searcher has the word. It keeps slots that it holds, and gets no others."""
    REST = "rest"
    OVER = "over"


@dataclass
class Member:
    """One runner's part of an allocation.

    Attributes
    ----------
    over : it holds its slots no longer
    """

    runner_id: str
    session: str
    slots: list[str]
    started: bool = False
    over: bool = False

    def to_document(self) -> dict[str, Any]:
        """As it is stored; for each event, so that ``asdict`` would take most of the scheduler's time."""
        return {**vars(self), "slots": list(self.slots)}


@dataclass
class Allocation:
    """A trial's right to slots: on one runner or, if it needs more than any has, on several (a gang), all or none.

    Attributes
    ----------
    members : the first one is where the processes of a gang meet
    rendezvous : host and port of that meeting place, once the first runner has opened it
    taken_back : how the slots were ordered back (``released``, ``revoked``, ``kill``), if they were
    failed, lost : a member failed; a member's runner was lost
    outcome : data of the ``allocation.ended`` that tells how it ended: the first failure, else the first member's
    """

    members: list[Member]
    train_until: int
    granted_at: str
    rendezvous: str | None = None
    taken_back: str | None = None
    failed: bool = False
    lost: bool = False
    outcome: dict[str, Any] | None = None

    @property
    def present(self) -> list[Member]:
        """Members that hold their slots."""
        return [member for member in self.members if not member.over]

    @property
    def size(self) -> int:
        """Slots of all members."""
        return sum(len(member.slots) for member in self.members)

    def member(self, runner_id: str) -> Member | None:
        """The part of a runner, if it holds slots."""
        return next((member for member in self.present if member.runner_id == runner_id), None)

    def first_rank(self, member: Member) -> int:
        """Of a member's processes."""
        return sum(len(other.slots) for other in self.members[: self.members.index(member)])

    def to_document(self) -> dict[str, Any]:
        """As it is stored."""
        return {**vars(self), "members": [member.to_document() for member in self.members]}

    def may_start(self, member: Member) -> bool:
        """The first of a gang starts at once, the others once it has opened the meeting place."""
        return member is self.members[0] or self.rendezvous is not None


@dataclass
class Execution:
    """One trial as the scheduler knows it; a document of the ``trials`` collection.

    What is said about a trial may come in any order and more than once, so every field only grows: the target, the
    length it was paused at, the attempt, the lease number; and closed stays closed.

    Attributes
    ----------
    target, paused_at, validated : lengths in ``unit``, totals; a pause counts if it is at the target
    requested : False for a stub of which nothing but a later event was heard
    checkpoint : the latest one, ``{"uri", "length"}``, and ``foreign`` if it is another trial's
    last_validation : data of the validation.completed event, to say it again if no decision comes
    exited : data of the trial.exited event, to say it again
    attempt : of trying it; a later one begins without restarts, and open
    failed_at_start : runners on which it failed before it reported anything, and when it last did; until it works
    closed_with_experiment : closed only because its experiment ended; why the searcher closed it is not known yet
    resident : where its process rests in memory, if it was paused
    """

    experiment_id: str
    trial_id: int
    pool: str
    requested: bool = False
    requested_at: str = ""
    hyperparameters: Hyperparameters = field(default_factory=dict)
    seed: int = 0
    slots: float = 1
    unit: str = Unit.BATCHES.value
    target: int = 0
    paused_at: int = -1
    validated: int = -1
    lease_number: int = 0
    attempt: int = 1
    restarts: int = 0
    closed: str | None = None
    closed_with_experiment: bool = False
    allocation: Allocation | None = None
    resident: Member | None = None
    failed_at_start: dict[str, str] = field(default_factory=dict)
    checkpoint: dict[str, Any] | None = None
    last_validation: dict[str, Any] | None = None
    exited: dict[str, Any] | None = None
    version: int = 0

    @property
    def key(self) -> Key:
        """Experiment and number."""
        return self.experiment_id, self.trial_id

    @property
    def over(self) -> bool:
        """True if it will never train again."""
        return self.closed is not None or self.exited is not None

    @property
    def open(self) -> bool:
        """True while the scheduler must keep an eye on it."""
        return self.closed is None or self.closed_with_experiment or self.allocation is not None

    @property
    def train_until(self) -> Length:
        """The target as a length."""
        return Length(unit=Unit(self.unit), amount=self.target)

    def want(self) -> Want:
        """What the trial should do, were its experiment active."""
        if self.over:
            return Want.OVER
        if not self.requested or self.paused_at >= self.target:
            return Want.REST
        return Want.DECISION if self.validated >= self.target else Want.TRAIN

    @property
    def idle(self) -> bool:
        """Has it reported its result at the length that its runner knows of, and waits for the decision?"""
        return self.allocation is not None and self.validated >= self.allocation.train_until

    def avoids(self, since: datetime) -> frozenset[str]:
        """Runners on which it failed at its start, then or later."""
        return frozenset(r for r, at in self.failed_at_start.items() if datetime.fromisoformat(at) >= since)

    def reopen(self) -> None:
        """The experiment goes on, or was never over: what ended the trial is no reason any more."""
        if self.closed_with_experiment:
            self.closed, self.closed_with_experiment = None, False

    def request(self, event: TrialRequested, now: datetime) -> None:
        """The searcher wants this trial."""
        self.reopen()
        self.try_again(event.attempt)
        if not self.requested:
            self.requested = True
            self.requested_at = now.isoformat()
            self.hyperparameters = event.hyperparameters
            self.seed = event.seed
            self.slots = event.slots
            if event.source_checkpoint and self.checkpoint is None:
                self.checkpoint = {"uri": event.source_checkpoint, "length": 0, "foreign": True}
            self.unit = event.train_until.unit.value
            self.target = max(self.target, event.train_until.amount)
        self.aim(event.train_until)

    def try_again(self, attempt: int) -> None:
        """If this attempt is a later one, what ended the one before counts no more."""
        if attempt > self.attempt:
            self.attempt, self.restarts = attempt, 0
            self.closed = self.exited = None

    def aim(self, target: Length) -> None:
        """Train until there, if that is further than before: a search that was extended may want more of a trial."""
        self.unit = target.unit.value
        self.reopen()
        if target.amount > max(self.target, self.validated) and self.closed in _EXTENSIBLE:
            self.closed = None
        self.target = max(self.target, target.amount)

    def close(self, reason: CloseReason, attempt: int | None = None) -> None:
        """Nothing more is wanted of it: of an attempt, or of whichever it is at."""
        if attempt is not None and attempt < self.attempt:
            return
        self.reopen()
        self.try_again(attempt or self.attempt)
        self.closed = self.closed or reason.value

    def saved(self, uri: str, length: int) -> None:
        """A checkpoint is there."""
        if self.checkpoint is None or length >= self.checkpoint["length"]:
            self.checkpoint = {"uri": uri, "length": length}

    def to_document(self) -> dict[str, Any]:
        """As it is stored."""
        nested = {
            "allocation": self.allocation.to_document() if self.allocation else None,
            "resident": self.resident.to_document() if self.resident else None,
        }
        return {"_id": document_id(self.key), **vars(self), **nested, "open": self.open, VERSION_FIELD: _FORMAT}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """As it was stored."""
        check_version(document, _FORMAT)
        fields = known_fields(cls, document)
        if allocation := fields.get("allocation"):
            parts = allocation.get("members", [allocation])  # a trial had but one runner once
            members = [Member(**known_fields(Member, part)) for part in parts]
            fields["allocation"] = Allocation(**{**known_fields(Allocation, allocation), "members": members})
        if resident := fields.get("resident"):
            fields["resident"] = Member(**known_fields(Member, resident))
        return cls(**fields)


def document_id(key: Key) -> str:
    """The ``_id`` of a trial's document."""
    return f"{key[0]}/{key[1]}"
