"""Hindsight: a recorded search looked at again. What was decided and why, whether the engine decides the same, and what
another method would have made of the same learning curves. Pure.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etude.config import ExperimentConfig
from etude.events import (
    Event,
    ExperimentCreated,
    Hyperparameters,
    Length,
    TrialClosed,
    TrialContinued,
    TrialPaused,
    TrialRequested,
    ValidationCompleted,
)
from etude_searcher.search import Decision, Search
from etude_searcher.simulate import Simulation


@dataclass(frozen=True)
class Difference:
    """The first decision that a replay makes differently."""

    seq: int
    recorded: tuple[Event, ...]
    replayed: tuple[Event, ...]


def replay(decisions: Sequence[Decision]) -> Difference | None:
    """Run the causes of a log through the engine; returns the first difference, if there is one.

    Draws are those that the log holds, since samplers that learn depend on how much time they had.
    """
    created = decisions[0].cause
    assert isinstance(created, ExperimentCreated), "a log begins with the experiment's creation"
    search = Search(created)
    for recorded in decisions:
        replayed = search.again(recorded)
        events = replayed.events if replayed else ()
        if events != recorded.events:
            return Difference(recorded.seq, recorded.events, events)
    return None


def told(decision: Decision, metric: str) -> str:
    """A decision in a line, without its reasons."""
    cause = decision.cause
    what = ", ".join(filter(None, (_event(event) for event in decision.events)))
    match cause:
        case ValidationCompleted():
            value = cause.metrics.get(metric, math.nan)
            return f"trial {cause.trial_id} has {metric} = {value:.6g} at {cause.length} → {what or 'nothing'}"
        case _ if hasattr(cause, "trial_id"):
            return f"trial {cause.trial_id}: {_name(cause)} → {what or 'nothing'}"
    return f"{_name(cause)} → {what or 'nothing'}"


def _event(event: Event) -> str:
    match event:
        case TrialRequested():
            return f"trial {event.trial_id} begins, until {event.train_until}"
        case TrialContinued():
            return f"trial {event.trial_id} goes on, until {event.train_until}"
        case TrialPaused():
            return f"trial {event.trial_id} rests"
        case TrialClosed():
            return f"trial {event.trial_id} is {event.reason.value}"
    return "" if _name(event) == "experiment progressed" else _name(event)


def _name(event: Event) -> str:
    return " ".join(event.name()).replace("-", " ")


@dataclass(frozen=True)
class Curve:
    """What is known of one trial: a metric by length."""

    hyperparameters: Hyperparameters
    values: Mapping[int, float]


@dataclass(frozen=True)
class Alternative:
    """What another method makes of recorded learning curves.

    Attributes
    ----------
    trials : that it trained, and those of them for which no curve was recorded any more
    results, guessed : that it decided on, and those of them at a length that was not recorded; the value at the
        longest length below stands for them
    best_trial, best, length : the best result, of which recorded trial, and how much training it took in all
    """

    trials: int
    missing: int
    results: int
    guessed: int
    best_trial: int | None
    best: float | None
    total_length: int
    unit: str


class _NoCurveError(Exception):
    """A trial was asked for that is not recorded."""


def what_if(config: ExperimentConfig, curves: Sequence[Curve], workers: int) -> Alternative:
    """Let another search decide on recorded learning curves, as far as they reach.

    Its n-th trial is the n-th that was recorded, whatever its own sampler would have drawn.

    Parameters
    ----------
    config : of the other search, over the same hyperparameters and metric
    workers : how many train at a time
    """
    metric = config.searcher.metric
    guessed: set[tuple[int, int]] = set()
    missing: set[int] = set()
    recorded = dict(enumerate(curves, 1))

    def objective(hyperparameters: Hyperparameters, length: int) -> tuple[dict[str, float], float]:
        trial = int(hyperparameters["trial"])  # type: ignore[arg-type]
        if trial not in recorded:
            missing.add(trial)
            raise _NoCurveError
        values = recorded[trial].values
        if length not in values:
            guessed.add((trial, length))
        below = [at for at in values if at <= length] or sorted(values)[:1]
        if not below:
            raise _NoCurveError
        return {metric: values[max(below)]}, float(length)

    simulation = Simulation(config, objective, workers)
    simulation.engine.deliberate = False
    simulation.engine.recall(_numbered(10 * len(curves) + 1_000))
    outcome = simulation.run(until=lambda _: bool(missing))
    best = simulation.engine.best
    return Alternative(
        trials=len(outcome.targets),
        missing=len(missing),
        results=len(outcome.results),
        guessed=len(guessed),
        best_trial=best.trial_id if best else None,
        best=best.value if best else None,
        total_length=outcome.total_length,
        unit=config.searcher.longest.unit.value,
    )


def _numbered(count: int) -> Iterable[TrialRequested]:
    """Trials whose only hyperparameter is their number."""
    for trial in range(1, count + 1):
        yield TrialRequested(
            trial_id=trial, hyperparameters={"trial": trial}, seed=0, slots=0, train_until=Length.batches(1)
        )


def curves_of(items: Iterable[Mapping[str, Any]], hyperparameters: Mapping[int, Hyperparameters]) -> list[Curve]:
    """Learning curves as the query API tells them, by number of the trial."""
    return [
        Curve(
            hyperparameters.get(item["trial_id"], {}),
            {n: v for n, v in zip(item["lengths"], item["values"], strict=True) if v is not None},
        )
        for item in sorted(items, key=lambda item: int(item["trial_id"]))
    ]
