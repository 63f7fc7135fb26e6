"""Ledger: what is known of one resource pool, what of it changed, and what is to be told. Pure."""

from dataclasses import dataclass, field
from datetime import datetime

from etude.events import Event
from etude_scheduler.claim import Claim, Claims
from etude_scheduler.execution import Execution, Key, Member
from etude_scheduler.fleet import Fleet
from etude_scheduler.share import Share


@dataclass(frozen=True)
class Message:
    """An event that the scheduler emits, and the experiment that it belongs to."""

    experiment_id: str
    event: Event


@dataclass
class Ledger:
    """The trials, experiments and runners of a pool.

    Attributes
    ----------
    executions, shares : the trials and experiments that are in memory
    changed, changed_shares, changed_runners : which of them are to be stored
    claims : what each experiment asks for and holds
    now : when the latest event came
    """

    pool: str
    fleet: Fleet
    executions: dict[Key, Execution] = field(default_factory=dict)
    shares: dict[str, Share] = field(default_factory=dict)
    changed: set[Key] = field(default_factory=set)
    changed_shares: set[str] = field(default_factory=set)
    changed_runners: set[str] = field(default_factory=set)
    claims: Claims = field(default_factory=Claims)
    now: datetime | None = None
    _of_experiment: dict[str, set[Key]] = field(default_factory=dict)
    _allocated: dict[str, set[Key]] = field(default_factory=dict)
    _messages: list[Message] = field(default_factory=list)

    def remember(self, execution: Execution) -> Execution:
        """Keep a trial in memory."""
        self.executions[execution.key] = execution
        self._of_experiment.setdefault(execution.experiment_id, set()).add(execution.key)
        return execution

    def committed(self) -> None:
        """What changed is stored. Trials that are over and hold nothing leave memory, until they are named again."""
        for key in self.changed:
            if not self.executions[key].open:
                del self.executions[key]
                self._of_experiment[key[0]].discard(key)
        for experiment_id in {experiment_id for experiment_id, _ in self.changed} | self.changed_shares:
            if self.share(experiment_id).ended and not self._of_experiment.get(experiment_id):
                del self.shares[experiment_id]
                self.claims.drop(experiment_id)
                self._of_experiment.pop(experiment_id, None)
        self.changed.clear()
        self.changed_shares.clear()
        self.changed_runners.clear()

    def of_experiment(self, experiment_id: str) -> list[Execution]:
        """Its trials, by number."""
        return [self.executions[key] for key in sorted(self._of_experiment.get(experiment_id, ()))]

    def allocated_to(self, runner_id: str) -> list[Execution]:
        """The trials that hold slots of a runner."""
        return [self.executions[key] for key in sorted(self._allocated.get(runner_id, ()))]

    def share(self, experiment_id: str) -> Share:
        """An experiment's, also if nothing was heard of it yet."""
        share = self.shares.get(experiment_id)
        if share is None:
            share = self.shares[experiment_id] = Share(experiment_id, self.pool)
        return share

    def claim(self, execution: Execution) -> Claim:
        """That of a trial's experiment."""
        return self.claims.of(self.share(execution.experiment_id))

    def hold(self, execution: Execution, member: Member) -> None:
        """A runner gives slots to a trial."""
        self.fleet.hold(execution, member)
        self._allocated.setdefault(member.runner_id, set()).add(execution.key)

    def release(self, execution: Execution, member: Member) -> None:
        """A member holds its slots no longer."""
        member.over = True
        self.fleet.free(execution, member)
        self._allocated[member.runner_id].discard(execution.key)

    def tell(self, execution: Execution, event: Event) -> None:
        """Emit an event about a trial."""
        self._messages.append(Message(execution.experiment_id, event))

    def tell_of(self, experiment_id: str, event: Event) -> None:
        """Emit an event about an experiment's trial that is perhaps not known here."""
        self._messages.append(Message(experiment_id, event))

    def take_messages(self) -> list[Message]:
        """What is to be told since this was last asked."""
        messages, self._messages = self._messages, []
        return messages
