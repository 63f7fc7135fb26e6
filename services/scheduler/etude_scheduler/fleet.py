"""Fleet: the runners of a pool, what they hold, and where a trial fits. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from etude.document_version import VERSION_FIELD, check_version
from etude.events import RunnerHeartbeat, RunnerJoined, Slot
from etude_scheduler.execution import Execution, Key, Member, document_id
from etude_scheduler.need import Need

_WHOLE = 1 - 1e-9
_FORMAT = 1
"""Of runner documents. Rises when an earlier version would misread what this one writes."""
_TRIALS_TO_BLAME, _EXPERIMENTS_TO_BLAME = 3, 2


@dataclass
class Runner:
    """One machine; a document of the ``runners`` collection.

    Attributes
    ----------
    cores : how many trials without a slot may run at a time
    refusing : why it takes nothing new for now, in its own words
    disabled : why it was taken out of service; None if it was not
    blamed_by : trials that failed at their start here and then worked on another runner, since a trial last worked here
    """

    runner_id: str
    pool: str
    session: str
    slots: list[Slot]
    labels: list[str]
    host: str
    last_heartbeat: datetime
    cores: int = 1
    draining: bool = False
    refusing: str = ""
    disabled: str | None = None
    blamed_by: list[str] = field(default_factory=list)
    gone: bool = False
    used: dict[str, dict[Key, float]] = field(default_factory=dict)
    """Slot to the trials that hold it, and the share of each; not stored, but derived from the trials."""
    guests: set[Key] = field(default_factory=set)
    """Trials that need no slot."""

    @property
    def kind(self) -> str:
        """Of its slots."""
        return self.slots[0].kind if self.slots else "cpu"

    @property
    def free(self) -> int:
        """How many slots nobody holds a part of."""
        return len(self.slots) - len(self.used)

    @property
    def held(self) -> float:
        """How many slots are held, parts added up."""
        return sum(sum(shares.values()) for shares in self.used.values())

    @property
    def open(self) -> bool:
        """Does it take new trials?"""
        return not (self.gone or self.draining or self.refusing or self.disabled is not None)

    @property
    def state(self) -> str:
        """In a word."""
        if self.gone:
            return "gone"
        if self.disabled is not None:
            return "disabled"
        return "draining" if self.draining else "refusing" if self.refusing else "ready"

    def take(self, count: int) -> list[str]:
        """Ids of so many free slots."""
        return [slot.id for slot in self.slots if slot.id not in self.used][:count]

    def left(self, slot_id: str) -> float:
        """The part of a slot that nobody holds."""
        return 1.0 - sum(self.used.get(slot_id, {}).values())

    def blame(self, key: Key) -> None:
        """Record a trial that failed at its start here and worked elsewhere; disable the runner if there are enough.

        One experiment alone proves nothing: its hyperparameters may just fit other machines.
        """
        trial = document_id(key)
        if trial not in self.blamed_by:
            self.blamed_by.append(trial)
        experiments = {trial.rsplit("/", 1)[0] for trial in self.blamed_by}
        proven = len(self.blamed_by) >= _TRIALS_TO_BLAME and len(experiments) >= _EXPERIMENTS_TO_BLAME
        if proven and self.disabled is None:
            self.disabled = (
                f"{len(self.blamed_by)} trials of {len(experiments)} experiments failed at their start here and "
                f"worked on other runners ({', '.join(self.blamed_by)}); see their logs, then: "
                f"etude runner enable {self.runner_id}"
            )

    def to_document(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "_id": self.runner_id,
            "pool": self.pool,
            "session": self.session,
            "slots": [slot.to_json() for slot in self.slots],
            "labels": self.labels,
            "host": self.host,
            "last_heartbeat": self.last_heartbeat.isoformat(),
            "cores": self.cores,
            "draining": self.draining,
            "refusing": self.refusing,
            "disabled": self.disabled,
            "blamed_by": self.blamed_by,
            "gone": self.gone,
            VERSION_FIELD: _FORMAT,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any], seen: datetime) -> Self:
        """As it was stored; it counts as seen when it is loaded, since nobody listened to it meanwhile."""
        check_version(document, _FORMAT)
        return cls(
            runner_id=document["_id"],
            pool=document["pool"],
            session=document["session"],
            slots=[Slot.model_validate(slot) for slot in document["slots"]],
            labels=document.get("labels", []),
            host=document.get("host", ""),
            last_heartbeat=seen,
            cores=document.get("cores", 1),
            draining=document.get("draining", False),
            refusing=document.get("refusing", ""),
            disabled=document.get("disabled"),
            blamed_by=document.get("blamed_by", []),
            gone=document.get("gone", False),
        )


class Fleet:
    """The runners of one pool."""

    def __init__(self, pool: str) -> None:
        self._pool = pool
        self.runners: dict[str, Runner] = {}

    def seen(self, event: RunnerJoined | RunnerHeartbeat, now: datetime) -> Runner | None:
        """A runner says that it is there; None if a later session of it is known already.

        Sessions are ordered: they begin with the time at which they began.
        """
        known = self.runners.get(event.runner_id)
        if known is not None and known.session > event.session:
            return None
        same = known if known is not None and known.session == event.session else None
        beat = event if isinstance(event, RunnerHeartbeat) else None
        runner = Runner(
            event.runner_id,
            self._pool,
            event.session,
            event.slots,
            event.labels,
            event.host,
            now,
            cores=event.cores,
            draining=beat.draining if beat else False,
            refusing=beat.refusing if beat else "",
            disabled=known.disabled if known else None,
            blamed_by=known.blamed_by if known else [],
            used=same.used if same else {},
            guests=same.guests if same else set(),
        )
        self.runners[event.runner_id] = runner
        return runner

    def present(self, runner_id: str, session: str) -> Runner | None:
        """The runner, if it is there in that session."""
        runner = self.runners.get(runner_id)
        return runner if runner and runner.session == session and not runner.gone else None

    def silent(self, now: datetime, timeout: timedelta) -> list[Runner]:
        """Runners that have not been heard of for too long."""
        return [r for r in self.runners.values() if not r.gone and now - r.last_heartbeat > timeout]

    def open(self, need: Need) -> Iterator[Runner]:
        """Runners that take new trials and have the labels that one needs, by id."""
        for _, runner in sorted(self.runners.items()):
            if runner.open and need.labels <= set(runner.labels):
                yield runner

    # Where a trial fits

    def fit(self, need: Need, kept: Mapping[str, int], resident: Member | None = None) -> list[Member] | None:
        """Free slots for a trial: on the runner that it fills best.

        A trial spans runners only if it needs more than any of them has, and then as few as possible.

        Parameters
        ----------
        kept : how many slots of each runner are kept for others
        resident : where the trial rests in memory; it goes there if it can
        """
        runners = self._preferred(need)
        if resident and self.present(resident.runner_id, resident.session):
            there = [runner for runner in runners if runner.runner_id == resident.runner_id]
            if there and (members := self._fit(need, there, kept)):
                return members
        return self._fit(need, runners, kept)

    def _preferred(self, need: Need) -> list[Runner]:
        """Open runners without those that are to be avoided, as long as one of them is large enough."""
        runners = list(self.open(need))
        others = [runner for runner in runners if runner.runner_id not in need.avoid]
        able = len(others) == len(runners) or any(len(runner.slots) >= need.whole for runner in others)
        return others if able else runners

    def _fit(self, need: Need, runners: list[Runner], kept: Mapping[str, int]) -> list[Member] | None:
        if need.slots == 0:
            able = [runner for runner in runners if len(runner.guests) < runner.cores]
            chosen = min(able, key=lambda r: (len(r.guests) / r.cores, r.runner_id), default=None)
            return [_member(chosen, [])] if chosen else None
        if need.slots < 1:
            return self._fit_share(need.slots, runners, kept)
        able = [runner for runner in runners if runner.free - kept.get(runner.runner_id, 0) >= need.whole]
        if able:
            chosen = min(able, key=lambda r: (r.free, r.runner_id))
            return [_member(chosen, chosen.take(need.whole))]
        return self._span(need.whole, runners, kept) if self._must_span(need) else None

    def _fit_share(self, share: float, runners: list[Runner], kept: Mapping[str, int]) -> list[Member] | None:
        """The fullest slot that has room."""
        options = [
            (left, runner.runner_id, slot.id)
            for runner in runners
            for slot in runner.slots
            if (left := runner.left(slot.id)) >= share - 1e-9
            if left < _WHOLE or runner.free > kept.get(runner.runner_id, 0)
        ]
        if not options:
            return None
        _, runner_id, slot_id = min(options)
        return [_member(self.runners[runner_id], [slot_id])]

    def _span(self, count: int, runners: list[Runner], kept: Mapping[str, int]) -> list[Member] | None:
        for kind in sorted({runner.kind for runner in runners}):
            spare = [(r.free - kept.get(r.runner_id, 0), r) for r in runners if r.kind == kind]
            members: list[Member] = []
            missing = count
            for free, runner in sorted(spare, key=lambda pair: (-pair[0], pair[1].runner_id)):
                if free > 0 and missing > 0:
                    members.append(_member(runner, runner.take(min(free, missing))))
                    missing -= min(free, missing)
            if missing == 0:
                return members
        return None

    def keep(self, need: Need, kept: dict[str, int]) -> None:
        """Keep the slots for a trial that has waited for long, where most of them are free already."""
        missing = need.whole
        runners = [r for r in self.open(need) if r.runner_id not in kept]
        if not self._must_span(need):
            runners = [r for r in runners if len(r.slots) >= missing]
        for runner in sorted(runners, key=lambda r: (-r.free, r.runner_id)):
            if missing > 0:
                kept[runner.runner_id] = min(len(runner.slots), missing)
                missing -= kept[runner.runner_id]

    def _must_span(self, need: Need) -> bool:
        """Has no runner, even one that is out of service for now, so many slots?"""
        there = [r for r in self.runners.values() if not r.gone and need.labels <= set(r.labels)]
        return all(len(runner.slots) < need.whole for runner in there)

    def why_not(self, need: Need) -> str:
        """Why a trial fits nowhere, whoever else waits."""
        there = [r for r in self.runners.values() if not r.gone]
        if not there:
            return "no runner is there; start one"
        labelled = [r for r in there if need.labels <= set(r.labels)]
        if not labelled:
            return f"no runner has the labels {', '.join(sorted(need.labels))}"
        if sum(len(r.slots) for r in labelled) < need.whole:
            return f"it needs {need}, and all {len(labelled)} runners together have fewer"
        closed = [r for r in labelled if not r.open]
        out = "; ".join(f"{r.runner_id} is {r.state}: {r.disabled or r.refusing or 'it will leave'}" for r in closed)
        free = sum(r.free for r in labelled if r.open)
        if avoided := sorted(r.runner_id for r in labelled if r.open and r.free and r.runner_id in need.avoid):
            return f"it failed at its start on {', '.join(avoided)}, and waits for another runner for a while"
        told = f"it needs {need}, and {free} of {sum(len(r.slots) for r in labelled)} slots are free"
        return f"{told} ({out})" if out else told

    # Who holds what

    def hold(self, execution: Execution, member: Member) -> None:
        """Mark what a member of an allocation holds as used."""
        if runner := self.present(member.runner_id, member.session):
            share = Need(execution.slots).share
            for slot in member.slots:
                runner.used.setdefault(slot, {})[execution.key] = share
            if not member.slots:
                runner.guests.add(execution.key)

    def free(self, execution: Execution, member: Member) -> None:
        """Mark what a member of an allocation held as free."""
        if runner := self.runners.get(member.runner_id):
            runner.guests.discard(execution.key)
            for slot in member.slots:
                holders = runner.used.get(slot, {})
                holders.pop(execution.key, None)
                if not holders:
                    runner.used.pop(slot, None)


def _member(runner: Runner, slots: list[str]) -> Member:
    return Member(runner.runner_id, runner.session, slots)
