"""Simulation: the real search engine at work on a made-up or recorded objective, in virtual time. Pure.

>>> from etude.config import parse
>>> config = parse({"entrypoint": "x:Y", "hyperparameters": {"lr": {"type": "double", "minval": 0, "maxval": 1}},
...                 "searcher": {"name": "random", "metric": "loss", "max_length": 10, "max_trials": 3}})
>>> outcome = simulate(config, lambda drawn, length: ({"loss": drawn["lr"]}, 1.0 * length), workers=2)
>>> outcome.seconds, outcome.total_length, len(outcome.results)
(20.0, 30, 3)
"""

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from etude.config import ExperimentConfig
from etude.core.errors import InvalidHyperparameters
from etude.events import (
    BestTrial,
    Event,
    ExitReason,
    Hyperparameters,
    TrialContinued,
    TrialRequested,
)
from etude_searcher.engine import SearchEngine
from etude_searcher.trial import Trial

Objective = Callable[[Hyperparameters, int], tuple[Mapping[str, float], float]]
"""Metrics after a length of training (a total), and the seconds that all of it takes."""


@dataclass(frozen=True)
class Result:
    """One validation of a simulated trial.

    Attributes
    ----------
    trained : of that length, how much since the validation before
    began, seconds : virtual time at which this stretch of training began, and at which the validation came
    """

    trial_id: int
    length: int
    trained: int
    metrics: Mapping[str, float]
    began: float
    seconds: float


@dataclass
class Outcome:
    """What came of a simulated search.

    Attributes
    ----------
    results : in the order in which they came
    targets : of each trial, in order: the lengths that it was trained to
    total_length : of all trials together
    seconds : virtual time at the end
    """

    results: list[Result] = field(default_factory=list)
    targets: dict[int, list[int]] = field(default_factory=dict)
    total_length: int = 0
    seconds: float = 0.0
    best: BestTrial | None = None
    failure: str | None = None


class Simulation:
    """A search that is run by workers in virtual time.

    Parameters
    ----------
    config : a validated configuration
    objective : answers instead of trials; may raise :class:`InvalidHyperparameters` or any other error, which
        ends the trial as it would a real one
    workers : trials that train at a time
    seed : of the experiment
    """

    def __init__(self, config: ExperimentConfig, objective: Objective, workers: int = 1, seed: int = 0) -> None:
        self.engine = SearchEngine(config, seed)
        self.engine.deliberate = True  # virtual time stands still while a sampler thinks
        self.outcome = Outcome()
        self._objective = objective
        self._workers = workers
        self._now = 0.0
        self._queue: list[int] = []  # who was requested first goes first, as in the scheduler: so promotions do
        self._order = 0
        self._busy: list[tuple[float, int, _Stretch]] = []  # by end, then by beginning
        self._spent: dict[int, float] = {}

    def run(self, until: Callable[[Outcome], bool] = lambda _: False) -> Outcome:
        """Run to the end of the search, or until enough is known.

        Parameters
        ----------
        until : is asked after each result whether to stop
        """
        self._hear(self.engine.start())
        while self._busy and not until(self.outcome):
            self._now, _, stretch = heapq.heappop(self._busy)
            self._hear(self._end(stretch))
        self.outcome.seconds = self._now
        self.outcome.best = self.engine.best
        self.outcome.failure = self.engine.failure
        return self.outcome

    def _hear(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, TrialRequested | TrialContinued):
                self.outcome.targets.setdefault(event.trial_id, []).append(event.train_until.amount)
                heapq.heappush(self._queue, event.trial_id)
        while self._queue and len(self._busy) < self._workers:
            trial = self.engine.trials[heapq.heappop(self._queue)]
            if trial.open:
                self._begin(trial)

    def _begin(self, trial: Trial) -> None:
        targets = self.outcome.targets[trial.trial_id]
        answer: Mapping[str, float] | Exception
        try:
            answer, seconds = self._objective(trial.hyperparameters, trial.target)
        except Exception as error:
            answer, seconds = error, 0.0
        before = self._spent.get(trial.trial_id, 0.0)
        self._spent[trial.trial_id] = max(seconds, before)
        trained = trial.target - (targets[-2] if len(targets) > 1 else 0)
        self._order += 1
        stretch = _Stretch(trial.trial_id, trial.target, trained, answer, self._now)
        heapq.heappush(self._busy, (self._now + max(seconds - before, 0.0), self._order, stretch))

    def _end(self, stretch: "_Stretch") -> list[Event]:
        if not self.engine.expects(stretch.trial_id, stretch.target):
            return []  # it was closed meanwhile
        self.outcome.total_length += stretch.trained
        match stretch.answer:
            case InvalidHyperparameters() as error:
                return self.engine.trial_exited(stretch.trial_id, ExitReason.INVALID_HYPERPARAMETERS, str(error))
            case Exception() as error:
                return self.engine.trial_exited(stretch.trial_id, ExitReason.RESTARTS_USED_UP, repr(error))
            case metrics:
                result = Result(stretch.trial_id, stretch.target, stretch.trained, metrics, stretch.began, self._now)
                self.outcome.results.append(result)
                return self.engine.validation_completed(stretch.trial_id, stretch.target, metrics)


@dataclass(frozen=True)
class _Stretch:
    """Training of one trial up to one target, and what will come of it."""

    trial_id: int
    target: int
    trained: int
    answer: Mapping[str, float] | Exception
    began: float


def simulate(config: ExperimentConfig, objective: Objective, workers: int = 1, seed: int = 0) -> Outcome:
    """Run a search to its end; see :class:`Simulation`."""
    return Simulation(config, objective, workers, seed).run()
