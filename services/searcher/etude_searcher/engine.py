"""SearchEngine: a search method and a sampler at work on one experiment. Pure."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np

from etude.config import ExperimentConfig, PbtConfig
from etude.events import (
    BestTrial,
    CloseReason,
    Event,
    ExitReason,
    Hyperparameters,
    Length,
    SearchAnswered,
    TrialClosed,
    TrialContinued,
    TrialPaused,
    TrialRequested,
)
from etude_searcher.asking import NonsenseError, operations
from etude_searcher.drawing import Drawing
from etude_searcher.failures import Failures
from etude_searcher.methods import Clone, Close, Continue, Create, Operation, Pause, SearchMethod, UnchangeableError
from etude_searcher.methods.custom import CustomSearch
from etude_searcher.plugins import METHODS, plugin
from etude_searcher.trial import Trial

_SEED_STREAM = 0x5EED
_CLOSED_AS = {
    ExitReason.RESTARTS_USED_UP: CloseReason.ERRORED,
    ExitReason.NOT_RETRYABLE: CloseReason.ERRORED,
    ExitReason.INVALID_HYPERPARAMETERS: CloseReason.INVALID_HYPERPARAMETERS,
    ExitReason.KILLED: CloseReason.KILLED,
}


class SearchEngine:
    """Turns results into decisions about trials.

    Randomness is a function of the seed, the number of the trial and the attempt, so that a draw does not depend on
    the draws before it.

    Parameters
    ----------
    config : a validated configuration
    seed : the experiment's seed

    Raises
    ------
    UnknownPluginError
        The configuration names a search method or sampler that is not installed.
    ValueError
        Method and sampler do not go together, or the constraints leave nothing to draw.
    """

    def __init__(self, config: ExperimentConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self.trials: dict[int, Trial] = {}
        self.best: BestTrial | None = None
        self.failure: str | None = None
        self.deliberate = False
        """May a decision take as long as its sampler wants? In a service :meth:`prepare` is called ahead instead."""
        self._unit = config.searcher.longest.unit
        self._drawing = Drawing(config, seed)
        self.method: SearchMethod = plugin(METHODS, config.searcher.name)(
            config.searcher, self._new_trial, self._drawing.sampler.points
        )
        self._last_trial = 0
        self._recorded: Mapping[int, Hyperparameters] = {}
        self._open = 0
        self._metric_seen = False
        self._failures = Failures(config.max_failed_trials)
        self.may_give_up = True
        """False while a recorded decision is made again that did not: earlier versions gave up less early."""

    # What happens

    def start(self) -> list[Event]:
        """The first trials."""
        return self._carry_out(self.method.start())

    def validation_completed(
        self, trial_id: int, length: int, metrics: Mapping[str, float], checkpoint: str | None = None
    ) -> list[Event]:
        """Decide on a validation: exactly one of continued, paused or closed for its trial, maybe more.

        The first at or past a target counts for it: to the method the trial is at its target, and the best trial is
        shown with its true length. A metric that is missing or not a number closes the trial as errored; if none was
        ever reported, and this is the first validation, the search fails, as every other trial would.
        """
        trial = self.trials[trial_id]
        assert self.expects(trial_id, length), f"no result of trial {trial_id} is due at {length}"
        trial.training = False
        searcher = self.config.searcher
        value = metrics.get(searcher.metric)
        self._metric_seen |= value is not None
        if value is None or not math.isfinite(value):
            return self._unusable(trial, metrics, value)
        if self.best is None or (value < self.best.value if searcher.smaller_is_better else value > self.best.value):
            self.best = BestTrial(
                trial_id=trial_id,
                metric=searcher.metric,
                value=value,
                hyperparameters=trial.hyperparameters,
                length=length,
                checkpoint=checkpoint,
            )
        cost = value if searcher.smaller_is_better else -value
        trial.checkpoint = checkpoint
        self._failures.record_result()
        self._drawing.sampler.observe(trial_id, trial.hyperparameters, trial.target, cost)
        return self._carry_out(self.method.validation_completed(trial_id, trial.target, cost))

    def trial_exited(self, trial_id: int, reason: ExitReason, detail: str = "") -> list[Event]:
        """Decide how to go on without a trial, which is closed."""
        trial = self.trials[trial_id]
        self._end(trial)
        trial.given_up = reason in (ExitReason.RESTARTS_USED_UP, ExitReason.NOT_RETRYABLE)
        closed = self._closed(trial, _CLOSED_AS[reason], detail)
        failure = self._failures.record_exit(reason, detail, len(self.trials))
        if failure is not None and self.may_give_up:
            self.failure = failure
            return [closed, *self.close_all(CloseReason.CANCELED)]
        return [closed, *self._carry_out(self.method.trial_exited(trial_id, reason))]

    def retry(self, trial_ids: Iterable[int]) -> list[Event]:
        """Try trials again that were given up, as if nobody had given them up.

        Raises
        ------
        UnchangeableError
            The method cannot take them back; nothing has been changed.
        """
        events: list[Event] = []
        for trial_id in trial_ids:
            operations = self.method.trial_returned(trial_id)
            trial = self.trials[trial_id]
            trial.given_up, trial.returned, trial.attempt = False, True, trial.attempt + 1
            events += self._carry_out(operations)
        return events

    def probe(self) -> None:
        """See that conditions and constraints can be computed for what may be drawn, before anything is trained.

        Raises
        ------
        ValueError
            They cannot.
        """
        self._drawing.probe()

    def change(self, config: ExperimentConfig) -> list[Event]:
        """Go on under another configuration of the same search: more trials, longer ones, more or fewer at a time.

        Raises
        ------
        UnchangeableError
            The method cannot be changed so; nothing has been.
        """
        drawing = self._drawing
        if config.hyperparameters != self.config.hyperparameters:
            if drawing.sampler.points is not None:
                raise UnchangeableError("a grid is what it was when the search began; its ranges cannot be changed")
            drawing = drawing.within(config, {t.trial_id: t.hyperparameters for t in self.trials.values()})
        before, self._drawing = self._drawing, drawing
        try:
            operations = self.method.change(config.searcher)
        except UnchangeableError:
            self._drawing = before
            raise
        self.config = config
        self._failures.max_failed_trials = config.max_failed_trials
        return self._carry_out(operations)

    def answer(self, answer: SearchAnswered) -> list[Event]:
        """Carry out what a custom method wants. Nonsense fails the search, and harms nothing else."""
        method = self.method
        assert isinstance(method, CustomSearch), "only a custom method is asked"
        events: list[Event] = []
        try:
            if answer.failed is not None:
                raise NonsenseError(answer.failed)
            wishes = list(operations(answer, self.trials, self._last_trial + 1, self.config.searcher.longest))
        except NonsenseError as error:
            self.failure = f"the custom search method's answer to question {answer.ask}: {error}"
            return self.close_all(CloseReason.CANCELED)
        for operation, wish in wishes:
            if isinstance(operation, Create):
                self._new_trial()
                if wish.hyperparameters is not None:
                    self._recorded = {**self._recorded, operation.trial_id: wish.hyperparameters}
            events.append(self._event(operation))
        method.heard(answer.progress, answer.finished)
        return events + (self.close_all(CloseReason.STOPPED) if method.over else [])

    # What can be asked

    @property
    def finished(self) -> bool:
        """True once every trial is over, or the search has failed."""
        if self.failure is None and isinstance(self.method, CustomSearch):
            return self.method.over
        return self.failure is not None or (bool(self.trials) and self._open == 0)

    def progress(self) -> float:
        """From 0 to 1; 1 at the end."""
        if self.finished and self.failure is None:
            return 1.0
        return min(max(self.method.progress(), 0.0), 1.0)

    def expects(self, trial_id: int, length: int) -> bool:
        """Is a result of this trial awaited, and is it this one? A script may overshoot its target."""
        trial = self.trials.get(trial_id)
        return trial is not None and trial.open and trial.training and trial.target <= length

    def outstanding(self) -> list[Event]:
        """Requests for all that is awaited, as they would be made now."""
        return [self._request(trial) for trial in self.trials.values() if trial.open and trial.training]

    def close_all(self, reason: CloseReason) -> list[Event]:
        """Close every open trial."""
        events: list[Event] = []
        for trial in self.trials.values():
            if trial.open:
                self._end(trial)
                events.append(self._closed(trial, reason))
        return events

    @property
    def thinks(self) -> bool:
        """Is there anything to :meth:`prepare`?"""
        return self._drawing.sampler.thinks and not self.finished

    @property
    def unprepared(self) -> int:
        """Draws that were made at random because the sampler had not come to an end in time."""
        return self._drawing.sampler.unprepared

    def prepare(self) -> None:
        """Let the sampler think about the next draw; may take long, and changes nothing that is ever stored."""
        self._drawing.sampler.prepare()

    # Snapshots and replay

    def recall(self, events: Iterable[Event]) -> None:
        """Use the draws that these recorded events hold, instead of drawing."""
        self._recorded = {e.trial_id: e.hyperparameters for e in events if isinstance(e, TrialRequested)}

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON values."""
        return {
            "method": self.method.snapshot(),
            "trials": [trial.snapshot() for trial in self.trials.values()],
            "best": self.best.model_dump() if self.best else None,
            "failure": self.failure,
            "metric_seen": self._metric_seen,
            "last_trial": self._last_trial,
            "failures": self._failures.snapshot(),
            "sampler": self._drawing.sampler.snapshot(),
        }

    @classmethod
    def restore(cls, config: ExperimentConfig, seed: int, snapshot: Mapping[str, Any]) -> Self:
        """The engine that made the snapshot."""
        engine = cls(config, seed)
        engine.method.restore(snapshot["method"])
        engine.trials = {state["trial_id"]: Trial(**state) for state in snapshot["trials"]}
        engine.best = BestTrial.model_validate(snapshot["best"]) if snapshot["best"] else None
        engine.failure = snapshot["failure"]
        engine._metric_seen = snapshot["metric_seen"]
        engine._last_trial = snapshot["last_trial"]
        if "failures" in snapshot:
            engine._failures.restore(snapshot["failures"])
        elif engine.best is not None:  # a snapshot of an earlier version
            engine._failures.record_result()
        drawn = {trial.trial_id: trial.hyperparameters for trial in engine.trials.values()}
        engine._drawing.remember_all(drawn.values())
        engine._drawing.sampler.restore(snapshot["sampler"], drawn)
        engine._open = sum(trial.open for trial in engine.trials.values())
        return engine

    # How it is done

    def _new_trial(self) -> int:
        self._last_trial += 1
        return self._last_trial

    def _unusable(self, trial: Trial, metrics: Mapping[str, float], value: float | None) -> list[Event]:
        metric = self.config.searcher.metric
        if value is None and not self._metric_seen:
            reported = ", ".join(sorted(metrics)) or "none"
            self.failure = (
                f"searcher.metric is {metric!r}, but the first validation (trial {trial.trial_id}) reported others: "
                f"{reported}; set searcher.metric to one of them"
            )
            return self.close_all(CloseReason.CANCELED)
        detail = (
            f"the validation at {trial.target} {self._unit} has no metric {metric!r}"
            if value is None
            else f"{metric} is {value} at {trial.target} {self._unit}"
        )
        self._end(trial)
        closed = self._closed(trial, CloseReason.ERRORED, detail)
        if isinstance(self.method, CustomSearch):
            return [closed]
        return [
            closed,
            *self._carry_out(self.method.trial_exited(trial.trial_id, ExitReason.RESTARTS_USED_UP)),
        ]

    def _end(self, trial: Trial) -> None:
        trial.open = trial.training = False
        self._open -= 1

    def _reopen(self, trial: Trial) -> None:
        """A search that was extended may want a trial again that it had closed, and a person one that failed."""
        if not trial.open:
            trial.open = True
            self._open += 1

    def _carry_out(self, operations: Iterable[Operation]) -> list[Event]:
        """Say what is to be done; a search that can draw no more fails, and closes all trials."""
        events: list[Event] = []
        for operation in operations:
            try:
                events.append(self._event(operation))
            except ValueError as error:
                self.failure = f"no hyperparameters can be drawn: {error}"
                return [*events, *self.close_all(CloseReason.CANCELED)]
        return events

    def _event(self, operation: Operation) -> Event:
        match operation:
            case Create(trial_id, target):
                return self._begin(Trial(trial_id, self._draw(trial_id, None), self._trial_seed(trial_id), target))
            case Clone(trial_id, target, source_id):
                source = self.trials[source_id]
                values, seed = self._draw(trial_id, source), self._trial_seed(trial_id)
                return self._begin(Trial(trial_id, values, seed, target, source=source.checkpoint))
            case Continue(trial_id, target):
                trial = self.trials[trial_id]
                self._reopen(trial)
                trial.target, trial.training = target, True
                if trial.returned:
                    trial.returned = False
                    return self._request(trial)
                return TrialContinued(trial_id=trial_id, train_until=self._length(target))
            case Pause(trial_id):
                self._reopen(self.trials[trial_id])
                return TrialPaused(trial_id=trial_id, length=self._length(self.trials[trial_id].target))
            case Close(trial_id, reason):
                trial = self.trials[trial_id]
                self._end(trial)
                return self._closed(trial, reason, length=self._length(trial.target))

    def _closed(self, trial: Trial, reason: CloseReason, detail: str = "", length: Length | None = None) -> TrialClosed:
        return TrialClosed(trial_id=trial.trial_id, reason=reason, detail=detail, length=length, attempt=trial.attempt)

    def _begin(self, trial: Trial) -> TrialRequested:
        self.trials[trial.trial_id] = trial
        self._open += 1
        return self._request(trial)

    def _request(self, trial: Trial) -> TrialRequested:
        bracket, rungs = self.method.rungs_of(trial.trial_id)
        return TrialRequested(
            trial_id=trial.trial_id,
            hyperparameters=trial.hyperparameters,
            seed=trial.seed,
            slots=self.config.resources.slots_per_trial,
            train_until=self._length(trial.target),
            source_checkpoint=trial.source or self.config.searcher.source_checkpoint_uuid,
            bracket=bracket,
            rungs=rungs,
            attempt=trial.attempt,
        )

    def _length(self, amount: int) -> Length:
        return Length(unit=self._unit, amount=amount)

    def _trial_seed(self, trial_id: int) -> int:
        return int(np.random.default_rng((self.seed, trial_id, _SEED_STREAM)).integers(2**31))

    def _draw(self, trial_id: int, source: Trial | None) -> Hyperparameters:
        if trial_id in self._recorded:
            return self._drawing.remember(self._recorded[trial_id])
        if source is None:
            if self.deliberate:
                self.prepare()
            return self._drawing.first(trial_id)
        assert isinstance(self.config.searcher, PbtConfig), "only a population clones"
        return self._drawing.explored(trial_id, source.hyperparameters, self.config.searcher.explore_function)
