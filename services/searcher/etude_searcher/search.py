"""Search: one experiment's life, from created to its end, as a sequence of decisions. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from etude.config import ConfigError, CustomConfig, Problem, parse
from etude.events import (
    CloseReason,
    ConfigProblem,
    Event,
    EventError,
    ExitReason,
    ExperimentActivated,
    ExperimentActivateRequested,
    ExperimentCanceled,
    ExperimentCancelRequested,
    ExperimentChangeRefused,
    ExperimentChangeRequested,
    ExperimentCompleted,
    ExperimentCreated,
    ExperimentDeleted,
    ExperimentDeleteRequested,
    ExperimentFailed,
    ExperimentKillRequested,
    ExperimentPaused,
    ExperimentPauseRequested,
    ExperimentProgressed,
    ExperimentRejected,
    ExperimentRetryRequested,
    SearchAnswered,
    TrialClosed,
    TrialContinued,
    TrialExited,
    TrialPaused,
    TrialRequested,
    ValidationCompleted,
)
from etude_searcher.asking import Asking
from etude_searcher.change import changed
from etude_searcher.engine import SearchEngine
from etude_searcher.methods import UnchangeableError
from etude_searcher.plugins import UnknownPluginError

_STEP = 0.01  # progress is told in steps no smaller than this
_REQUESTS = (
    ExperimentChangeRequested,
    ExperimentPauseRequested,
    ExperimentActivateRequested,
    ExperimentChangeRefused,
    ExperimentCancelRequested,
    ExperimentKillRequested,
    ExperimentDeleteRequested,
    ExperimentRetryRequested,
)


class State(StrEnum):
    """What an experiment is doing."""

    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    REJECTED = "rejected"
    DELETED = "deleted"

    @property
    def ended(self) -> bool:
        """True if nothing more will be decided."""
        return self not in (State.ACTIVE, State.PAUSED)


@dataclass(frozen=True)
class Decision:
    """What was decided, and because of what.

    Attributes
    ----------
    seq : number of the decision within its experiment, from 0 without a gap
    cause : the event that led to it
    cause_id : id of that event
    events : what it tells everyone
    reasons : why, in words for people; no part of what is decided
    """

    seq: int
    cause: Event
    cause_id: str
    events: tuple[Event, ...]
    reasons: tuple[str, ...] = field(default=(), compare=False)

    @property
    def deletes(self) -> bool:
        """Is it the last one, after which nothing is left of the experiment?"""
        return any(isinstance(event, ExperimentDeleted) for event in self.events)


class Search:
    """The decisions of one experiment, and the state that they lead to.

    A search is made of the event that created it (:meth:`created`), or of a snapshot (:meth:`restore`), and brought
    up to date with the decisions recorded since then (:meth:`replay`).
    """

    def __init__(self, created: ExperimentCreated) -> None:
        self.created = created
        self.config = created.config  # as it is by now, with what was changed
        self.state = State.ACTIVE
        self.seq = 0  # of the next decision
        self.engine: SearchEngine | None = None
        self.final: Event | None = None
        self._decided: dict[tuple[int, int], int] = {}
        self._exited: dict[tuple[int, int], int] = {}  # by trial and attempt
        self._asking: Asking | None = None  # for a custom method
        self._answered: dict[int, int] = {}  # questions to the decisions that their answers led to
        self._requests: dict[str, int] = {}  # by id: a pause that comes again after an activation is none
        self._told: tuple[float, object] = (-1.0, None)
        self.diverged_at: int | None = None
        """First recorded decision that this version would have made otherwise; what was recorded was announced."""

    @property
    def pool(self) -> str:
        """Resource pool of the experiment."""
        return self.engine.config.resources.resource_pool if self.engine else "default"

    # Deciding

    def begin(self, cause_id: str = "") -> Decision:
        """Decision 0: the experiment is rejected, or its first trials are requested."""
        try:
            config = parse(self.created.config)
            self.engine = SearchEngine(config, self.created.seed)
        except ConfigError as error:
            events = self._reject(error.problems)
        except (UnknownPluginError, ValueError) as error:
            events = self._reject([Problem("searcher", str(error))])
        else:
            events = self._begin(self.engine)
        return self._decision(self.created, cause_id, events)

    def decide(self, event: Event, cause_id: str = "") -> Decision | None:
        """The decision that an event leads to, or None if it calls for none.

        Parameters
        ----------
        cause_id : id of the event; by it a person's request that comes twice is known

        Raises
        ------
        EventError
            The event names a trial that this experiment never had.
        """
        events = self._answer(event)
        if events is None:
            return None
        if isinstance(event, _REQUESTS):
            self._requests[cause_id] = self.seq
        return self._decision(event, cause_id, events)

    def decided(self, event: Event, cause_id: str = "") -> int | None:
        """The sequence number of the decision that an event led to before, if it did."""
        match event:
            case ExperimentCreated():
                return 0 if self.seq else None
            case ValidationCompleted(trial_id=trial_id, length=length):
                if self.engine is not None and not self.state.ended and self.engine.expects(trial_id, length.amount):
                    return None  # past a second target, too, which was not known when the first was decided
                return self._decided.get((trial_id, length.amount))
            case TrialExited():
                return self._exited.get((event.trial_id, event.attempt))
            case SearchAnswered():
                return self._answered.get(event.ask)
        return self._requests.get(cause_id)

    def reminders(self) -> list[Event]:
        """What should be, told again: for those who may have missed it."""
        if self.final is not None:
            return [self.final]
        if self.engine is None:
            return []
        last = self.seq - 1
        asked = [self._asking.out] if self._asking and self._asking.out else []
        if self.state is State.PAUSED:
            return [self._activated(0), ExperimentPaused(revision=last), *self.engine.outstanding(), *asked]
        return [self._activated(last), *self.engine.outstanding(), *asked]

    # Remembering

    def replay(self, decisions: Sequence[Decision]) -> None:
        """Take over recorded decisions, in order, with the draws that they hold."""
        for decision in decisions:
            assert decision.seq == self.seq, f"decision {decision.seq} where {self.seq} was due"
            made = self.again(decision)
            if self.diverged_at is None and (made is None or _essence(made) != _essence(decision)):
                self.diverged_at = decision.seq
            self.seq = decision.seq + 1

    def again(self, decision: Decision) -> Decision | None:
        """Decide on the cause of a recorded decision, with the draws that it holds."""
        if self.engine is not None:
            self.engine.recall(decision.events)
            self.engine.may_give_up = any(isinstance(event, ExperimentFailed) for event in decision.events)
        if isinstance(decision.cause, ExperimentCreated):
            made: Decision | None = self._replay_start(decision)
        else:
            made = self.decide(decision.cause, decision.cause_id)
        if self.engine is not None:
            self.engine.recall(())
            self.engine.may_give_up = True
        return made

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON values."""
        return {
            "created": self.created.to_json(),
            "config": self.config,
            "state": self.state.value,
            "seq": self.seq,
            "engine": self.engine.snapshot() if self.engine else None,
            "decided": [[trial, length, seq] for (trial, length), seq in self._decided.items()],
            "exited": [[trial, attempt, seq] for (trial, attempt), seq in self._exited.items()],
            "requests": self._requests,
            "asking": self._asking.snapshot() if self._asking else None,
            "answered": list(self._answered.items()),
            "told": self._told[0],
            "final": {"type": self.final.type, "data": self.final.to_json()} if self.final else None,
        }

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> Self:
        """The search that made the snapshot."""
        search = cls(ExperimentCreated.model_validate(snapshot["created"]))
        search.config = snapshot["config"]
        if snapshot["engine"] is not None:
            config = parse(search.config)
            search.engine = SearchEngine.restore(config, search.created.seed, snapshot["engine"])
        if snapshot["final"] is not None:
            search.final = Event.registry[snapshot["final"]["type"]].model_validate(snapshot["final"]["data"])
        search.state = State(snapshot["state"])
        search.seq = snapshot["seq"]
        search._decided = {(trial, length): seq for trial, length, seq in snapshot["decided"]}
        search._exited = {(trial, attempt): seq for trial, attempt, seq in snapshot["exited"]}
        search._requests = dict(snapshot["requests"])
        search._answered = dict(snapshot["answered"])
        if search.engine is not None and isinstance(search.engine.config.searcher, CustomConfig):
            search._asking = Asking(search.engine.config.searcher.method)
            search._asking.restore(snapshot["asking"])
        search._told = (snapshot["told"], search.engine.best if search.engine else None)
        return search

    # How it is done

    def _replay_start(self, decision: Decision) -> Decision:
        if any(isinstance(event, ExperimentRejected) for event in decision.events):
            self.state, self.final, self.seq = State.REJECTED, decision.events[0], 1
            return decision
        self.engine = SearchEngine(parse(self.created.config), self.created.seed)
        self.engine.recall(decision.events)
        return self._decision(self.created, decision.cause_id, [self._activated(), *self._start()])

    def _begin(self, engine: SearchEngine) -> list[Event]:
        """Begin, unless what is wrong with a condition or constraint shows when it is computed."""
        try:
            engine.probe()
        except ValueError as error:
            return self._reject([Problem("hyperparameters", f"some cannot be drawn: {error}")])
        events = [self._activated(), *self._start()]
        if engine.failure is not None:
            return self._reject([Problem("hyperparameters", engine.failure)])
        return events

    def _start(self) -> list[Event]:
        assert self.engine is not None
        if isinstance(self.engine.config.searcher, CustomConfig):
            self._asking = Asking(self.engine.config.searcher.method)
        return [*self.engine.start(), *self._ask(self.created)]

    def _ask(self, about: Event) -> list[Event]:
        """A custom method is asked about what happened; others have decided already."""
        assert self.engine is not None
        if self._asking is None or self.engine.finished:
            return []
        return self._asking.about(about, self.seq, self.config, self.engine.trials)

    def _hear_answer(self, answer: SearchAnswered) -> list[Event] | None:
        asking = self._asking
        assert self.engine is not None
        if asking is None or asking.out is None or asking.out.ask != answer.ask:
            return None
        self._answered[answer.ask] = self.seq
        asking.answered(answer)
        events = self.engine.answer(answer)
        return events if self.engine.finished else [*events, *asking.next(self.seq, self.config)]

    def _answer(self, event: Event) -> list[Event] | None:
        """What an event leads to, or None if it calls for no decision."""
        if isinstance(event, ExperimentDeleteRequested):
            return self._delete(event.requested_by)
        if self.engine is None:
            return None
        if isinstance(event, ExperimentChangeRequested):
            return self._change(event)
        if isinstance(event, ExperimentRetryRequested):
            return self._retry(event)
        if self.state.ended:
            return None
        match event:
            case ValidationCompleted(trial_id=trial_id):
                self._know(trial_id)
                return self._validation(event) if self.engine.expects(trial_id, event.length.amount) else None
            case TrialExited(trial_id=trial_id):
                self._know(trial_id)
                trial = self.engine.trials[trial_id]
                return self._exit(event) if trial.open and event.attempt >= trial.attempt else None
            case SearchAnswered():
                return self._hear_answer(event)
            case ExperimentPauseRequested() if self.state is State.ACTIVE:
                self.state = State.PAUSED
                return [ExperimentPaused(revision=self.seq)]
            case ExperimentActivateRequested() if self.state is State.PAUSED:
                self.state = State.ACTIVE
                return [self._activated()]
            case ExperimentCancelRequested():
                return self._cancel(event.requested_by, killed=False)
            case ExperimentKillRequested():
                return self._cancel(event.requested_by, killed=True)
        return None

    def _know(self, trial_id: int) -> None:
        assert self.engine is not None
        if trial_id not in self.engine.trials:
            raise EventError(
                f"trial {trial_id} was never requested in this experiment; it has {len(self.engine.trials)} trials"
            )

    def _validation(self, event: ValidationCompleted) -> list[Event]:
        assert self.engine is not None
        self._decided[(event.trial_id, event.length.amount)] = self.seq
        checkpoint = event.checkpoint.uri if event.checkpoint else None
        events = self.engine.validation_completed(event.trial_id, event.length.amount, event.metrics, checkpoint)
        if self._asking and not self.engine.trials[event.trial_id].open:  # its metric was no number
            return events + self._ask(TrialExited(trial_id=event.trial_id, reason=ExitReason.RESTARTS_USED_UP))
        return events + self._ask(event)

    def _exit(self, event: TrialExited) -> list[Event]:
        assert self.engine is not None
        self._exited[event.trial_id, event.attempt] = self.seq
        return self.engine.trial_exited(event.trial_id, event.reason, event.detail) + self._ask(event)

    def _change(self, event: ExperimentChangeRequested) -> list[Event] | None:
        """Other settings; a search that had completed goes on if they give it more to do."""
        assert self.engine is not None
        if self.state.ended and self.state is not State.COMPLETED:
            return None
        try:
            raw = changed(self.config, event, self.engine)
            config = parse(raw)
            events = self.engine.change(config)
        except (ConfigError, UnchangeableError) as error:
            return self._refuse(str(error), event.requested_by)
        self.config = raw
        return self._go_on(events)

    def _retry(self, event: ExperimentRetryRequested) -> list[Event]:
        """Trials that were given up; a search that is over goes on with them, unless somebody ended it."""
        assert self.engine is not None
        trials = self.engine.trials
        failed = [number for number, trial in trials.items() if trial.given_up]
        others = [number for number in event.trial_ids if number not in failed]
        if self.state is State.CANCELED:
            return self._refuse("the experiment was canceled; fork it to begin anew", event.requested_by)
        if self.engine.failure is not None:
            return self._refuse(f"the search itself has failed: {self.engine.failure}", event.requested_by)
        if others or not failed:
            which = f"trial {', '.join(map(str, others))}" if others else "any trial"
            return self._refuse(f"cannot retry {which}: not given up after its restarts", event.requested_by)
        try:
            events = self.engine.retry(sorted(set(event.trial_ids)) or failed)
        except UnchangeableError as error:
            return self._refuse(str(error), event.requested_by)
        return self._go_on(events)

    def _go_on(self, events: list[Event]) -> list[Event]:
        """What follows from having more to do, also for a search that was over."""
        assert self.engine is not None
        if self.state.ended:
            if self.engine.finished:
                return []
            self.state, self.final = State.ACTIVE, None
        return [self._activated(), *events] if self.state is State.ACTIVE else events

    def _refuse(self, reason: str, requested_by: str) -> list[Event]:
        return [ExperimentChangeRefused(revision=self.seq, reason=reason, requested_by=requested_by)]

    def _cancel(self, requested_by: str, *, killed: bool) -> list[Event]:
        assert self.engine is not None
        closed = self.engine.close_all(CloseReason.KILLED if killed else CloseReason.CANCELED)
        self.state = State.CANCELED
        self.final = ExperimentCanceled(
            revision=self.seq, killed=killed, requested_by=requested_by, best=self.engine.best
        )
        return [*closed, self.final]

    def _delete(self, requested_by: str) -> list[Event] | None:
        if self.state is State.DELETED:
            return None
        if not self.state.ended:
            return self._refuse(f"the experiment is {self.state}; cancel it before it is deleted", requested_by)
        self.state = State.DELETED
        self.final = ExperimentDeleted(revision=self.seq, requested_by=requested_by)
        return [self.final]

    def _reject(self, problems: Sequence[Problem]) -> list[Event]:
        self.engine = None
        self.state = State.REJECTED
        errors = [ConfigProblem(path=p.path, message=p.message, line=p.line) for p in problems]
        self.final = ExperimentRejected(errors=errors)
        return [self.final]

    def _activated(self, revision: int | None = None) -> ExperimentActivated:
        assert self.engine is not None
        return ExperimentActivated(
            revision=self.seq if revision is None else revision,
            config=self.config,
            model_definition=self.created.model_definition,
        )

    def _decision(self, cause: Event, cause_id: str, events: Sequence[Event]) -> Decision:
        reasons = tuple(self.engine.method.take_reasons()) if self.engine else ()
        decision = Decision(self.seq, cause, cause_id, (*events, *self._outlook()), reasons)
        self.seq += 1
        return decision

    def _outlook(self) -> list[Event]:
        """The end of the search, or its progress if that is worth telling."""
        if self.engine is None or self.state.ended:
            return []
        engine = self.engine
        if engine.finished:
            self.final = self._end(engine)
            return [self.final]
        progress, best = engine.progress(), engine.best
        if abs(progress - self._told[0]) < _STEP and best == self._told[1]:
            return []
        self._told = (progress, best)
        return [ExperimentProgressed(revision=self.seq, progress=progress, trials=len(engine.trials), best=best)]

    def _end(self, engine: SearchEngine) -> Event:
        if engine.failure is None and engine.best is not None:
            self.state = State.COMPLETED
            return ExperimentCompleted(revision=self.seq, trials=len(engine.trials), best=engine.best)
        self.state = State.FAILED
        reason = engine.failure or (
            f"no trial of {len(engine.trials)} gave a usable result; the trials' logs and reasons say why"
        )
        return ExperimentFailed(revision=self.seq, reason=reason, best=engine.best)


def _essence(decision: Decision) -> list[Event]:
    """What a decision does, without its words and figures, which another version may choose otherwise."""
    return [
        event.model_copy(update={"detail": ""}) if isinstance(event, TrialClosed) else event
        for event in decision.events
        if isinstance(event, TrialRequested | TrialContinued | TrialPaused | TrialClosed)
    ]
