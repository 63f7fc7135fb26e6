"""A made-up history of searches: the events of an experiment with many trials, decided by the real search."""

import heapq
import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from etude.events import (
    AllocationEnded,
    AllocationStarted,
    BestTrial,
    CheckpointReference,
    CheckpointSaved,
    EndReason,
    Envelope,
    Event,
    ExperimentCompleted,
    ExperimentCreated,
    FileEntry,
    Length,
    ModelDefinition,
    TrainingPoint,
    TrainingReported,
    TrialContinued,
    TrialRequested,
    ValidationCompleted,
)
from etude.store import Document
from etude_searcher.journal import decision_document
from etude_searcher.search import Decision, Search

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_MODEL = ModelDefinition(uri="file:///nowhere/model.tar.gz", sha256="0" * 64, size=1)
_WORKERS = 64
_POINTS_A_REPORT = 50


def config(trials: int, name: str = "resnet on flowers") -> dict[str, Any]:
    """An adaptive search over six hyperparameters."""
    return {
        "name": name,
        "entrypoint": "model_def:Trial",
        "hyperparameters": {
            "learning_rate": {"type": "log", "minval": -5, "maxval": 0},
            "weight_decay": {"type": "log", "minval": -6, "maxval": -1},
            "dropout": {"type": "double", "minval": 0.0, "maxval": 0.7},
            "width": {"type": "int", "minval": 16, "maxval": 512},
            "depth": {"type": "int", "minval": 2, "maxval": 12},
            "optimizer": {"type": "categorical", "vals": ["sgd", "adam", "lion"]},
        },
        "searcher": {
            "name": "adaptive_asha",
            "metric": "loss",
            "max_length": {"batches": 6400},
            "max_trials": trials,
            "max_concurrent_trials": _WORKERS,
        },
        "labels": ["vision"],
    }


class History:
    """One experiment.

    Parameters
    ----------
    points : training points of all trials together, about
    """

    def __init__(self, experiment_id: str, trials: int, points: int, seed: int = 1) -> None:
        self.experiment_id = experiment_id
        self.decisions: list[Document] = []
        self._dice = random.Random(seed)
        self._search = Search(ExperimentCreated(config=config(trials), model_definition=_MODEL, seed=seed, owner="ada"))
        self._points = points / trials
        self._now = 0.0
        self._targets: dict[int, int] = {}
        self._reached: dict[int, int] = {}
        self._leases: dict[int, int] = {}
        self._drawn: dict[int, dict[str, Any]] = {}
        self._waiting: list[int] = []
        self._busy: list[tuple[float, int, int]] = []  # by end: trial, worker
        self._idle = list(range(_WORKERS))

    def told(self) -> Iterator[tuple[list[Envelope], list[Envelope]]]:
        """Events and telemetry, one step of one trial after the other."""
        yield [self._wrap(self._search.created), *self._hear(self._search.begin())], []
        while self._busy:
            self._now, trial_id, worker = heapq.heappop(self._busy)
            events, telemetry = self._trained(trial_id, worker)
            heapq.heappush(self._idle, worker)
            validation = events[-1]
            decision = self._search.decide(validation.data, validation.id)
            assert decision is not None
            yield [*events, *self._hear(decision)], telemetry

    def _hear(self, decision: Decision) -> list[Envelope]:
        self.decisions.append(decision_document(self.experiment_id, decision, self._time()))
        for event in decision.events:
            if isinstance(event, TrialRequested | TrialContinued):
                self._targets[event.trial_id] = event.train_until.amount
                heapq.heappush(self._waiting, event.trial_id)
                if isinstance(event, TrialRequested):
                    self._drawn[event.trial_id] = event.hyperparameters
        told = [self._wrap(event) for event in decision.events]
        while self._waiting and self._idle:
            trial_id, worker = heapq.heappop(self._waiting), heapq.heappop(self._idle)
            self._leases[trial_id] = self._leases.get(trial_id, 0) + 1
            started = AllocationStarted(
                runner_id=f"gpu-{worker // 8}",
                trial_id=trial_id,
                lease_number=self._leases[trial_id],
                slots=[str(worker % 8)],
            )
            told.append(self._wrap(started))
            length = self._targets[trial_id] - self._reached.get(trial_id, 0)
            heapq.heappush(self._busy, (self._now + length * self._dice.uniform(0.05, 0.1), trial_id, worker))
        return told

    def _trained(self, trial_id: int, worker: int) -> tuple[list[Envelope], list[Envelope]]:
        begin, end, lease = self._reached.get(trial_id, 0), self._targets[trial_id], self._leases[trial_id]
        self._reached[trial_id] = end
        share = self._points * (end - begin) / 200  # about what trials of this search train on average
        step = max(1, int((end - begin) / max(share, 1)))
        lengths = list(range(begin + step, end + 1, step))
        telemetry = []
        for start in range(0, len(lengths), _POINTS_A_REPORT):
            points = [
                TrainingPoint(
                    length=Length.batches(length),
                    metrics={"loss": self._loss(trial_id, length), "lr": 0.1},
                    time=self._time(),
                )
                for length in lengths[start : start + _POINTS_A_REPORT]
            ]
            reported = TrainingReported(trial_id=trial_id, lease_number=lease, points=points)
            telemetry.append(self._wrap(reported))
        uri = f"file:///checkpoints/{self.experiment_id}/{trial_id}/{lease}-{end}"
        entry = FileEntry(path="state.pt", size=10**8, sha256="0" * 64)
        saved = CheckpointSaved(
            trial_id=trial_id, lease_number=lease, uri=uri, length=Length.batches(end), files=[entry]
        )
        completed = ValidationCompleted(
            runner_id=f"gpu-{worker // 8}",
            trial_id=trial_id,
            lease_number=lease,
            length=Length.batches(end),
            metrics={"loss": self._loss(trial_id, end), "accuracy": self._dice.random()},
            checkpoint=CheckpointReference(uri=uri, length=end),
            seconds=30.0,
        )
        ended = AllocationEnded(
            runner_id=f"gpu-{worker // 8}", trial_id=trial_id, lease_number=lease, reason=EndReason.RELEASED
        )
        return [self._wrap(ended), self._wrap(saved), self._wrap(completed)], telemetry

    def _loss(self, trial_id: int, length: int) -> float:
        drawn = self._drawn[trial_id]
        rate = math.log10(drawn["learning_rate"])
        floor = 0.2 + 0.3 * abs(rate + 2.5) / 2.5 + 0.4 * drawn["dropout"] ** 2 + 8 / drawn["width"]
        return floor + 2.0 * math.exp(-length / 800) + self._dice.gauss(0, 0.02)

    def _wrap(self, event: Event) -> Envelope:
        return Envelope.wrap(event, source="bench", time=self._time(), experiment_id=self.experiment_id)

    def _time(self) -> datetime:
        return BEGAN + timedelta(seconds=self._now)


def small(number: int) -> list[Envelope]:
    """An experiment of which lists say that it is over."""
    when, experiment_id = BEGAN + timedelta(minutes=number), f"small{number:05d}"
    created = ExperimentCreated(
        config=config(16, f"sweep {number % 97}"), model_definition=_MODEL, seed=number, owner=f"person{number % 40}"
    )
    best = BestTrial(trial_id=3, metric="loss", value=1 / (number + 1), length=6400, hyperparameters={"width": number})
    completed = ExperimentCompleted(revision=1, trials=16, best=best)
    return [
        Envelope.wrap(event, source="bench", time=when, experiment_id=experiment_id) for event in (created, completed)
    ]
