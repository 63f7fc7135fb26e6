"""ModelSampler: what samplers have in common that fit a model to the results so far."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from etude.config import Const, Parameter, Space
from etude.events import Hyperparameters
from etude_searcher.samplers.sampler import Fits, Sampler, nested
from etude_searcher.samplers.unit import from_unit, to_unit

Point = list[float]
"""Hyperparameters as a place in the unit cube; those that do not exist in a trial lie in the middle."""


class ModelSampler(Sampler):
    """Draws from a model of the results at one length: the longest at which there are enough of them.

    Results at shorter lengths come first, and are more; those at longer ones say more (BOHB; Falkner et al., ICML 2018,
    section 3.2). A share of all draws stays random, so that no good region is lost for ever.

    Fitting takes long: :meth:`prepare` does it ahead. A draw for which nothing was prepared in time is made at random,
    and counted in :attr:`unprepared`.

    Parameters
    ----------
    options : ``startup_trials`` (results at a length that are enough; 20), ``random_fraction`` (1/4)
    """

    options: ClassVar[frozenset[str]] = frozenset({"startup_trials", "random_fraction"})
    thinks: ClassVar[bool] = True

    def __init__(
        self, space: Space, fits: Fits = None, options: Mapping[str, Any] | None = None, seed: int = 0
    ) -> None:
        super().__init__(space, fits, options, seed)
        given = options or {}
        self._startup = _number(given, "startup_trials", 20, 1, 10_000)
        self._random_fraction = _number(given, "random_fraction", 0.25, 0, 1)
        self._parameters = list(space.parameters())
        self._varying = [(path, p) for path, p in self._parameters if not isinstance(p, Const)]
        self._points: dict[int, Point] = {}
        self._results: dict[int, dict[int, float]] = {}  # length to the results of trials
        self._known = 0  # results
        self._ready: Point | None = None
        self._ready_for = 0  # so many results; a proposal that knew one or two less is better than chance

    def draw(self, index: int, generator: np.random.Generator, attempt: int = 0) -> Hyperparameters:
        anywhere = generator.random(len(self._varying)).tolist()
        if attempt or generator.random() < self._random_fraction:
            return self._values(anywhere)
        ready, self._ready = self._ready, None
        if ready is None and self._training_set():
            self.unprepared += 1
        return self._values(ready or anywhere)

    def observe(self, trial_id: int, hyperparameters: Hyperparameters, length: int, metric: float) -> None:
        if trial_id not in self._points:
            self._points[trial_id] = [_place(p, hyperparameters, path) for path, p in self._varying]
        self._results.setdefault(length, {})[trial_id] = metric
        self._known += 1

    def prepare(self) -> None:
        known = self._known
        if (self._ready is not None and self._ready_for == known) or not self._varying:
            return
        if training_set := self._training_set():
            points, metrics = zip(*training_set, strict=True)
            seed = (self._seed + known) % 2**31
            self._ready = self.propose([p for _, p in self._varying], points, metrics, seed)
            self._ready_for = known

    def snapshot(self) -> dict[str, Any]:
        return {
            "results": [[length, list(results.items())] for length, results in self._results.items()],
            "unprepared": self.unprepared,
        }

    def restore(self, snapshot: dict[str, Any], hyperparameters: Mapping[int, Hyperparameters]) -> None:
        for length, results in snapshot["results"]:
            for trial_id, metric in results:
                self.observe(trial_id, hyperparameters[trial_id], length, metric)
        self.unprepared = snapshot["unprepared"]

    @abstractmethod
    def propose(
        self, parameters: Sequence[Parameter], points: Sequence[Point], metrics: Sequence[float], seed: int
    ) -> Point:
        """Where to look next.

        Parameters
        ----------
        parameters : of each dimension
        points, metrics : what is known; smaller metrics are better
        seed : of all randomness
        """

    def _training_set(self) -> list[tuple[Point, float]]:
        enough = max(self._startup, len(self._varying) + 1)
        for length in sorted(self._results, reverse=True):
            results = self._results[length]
            if len(results) >= enough:
                return [(self._points[trial], metric) for trial, metric in list(results.items())]
        return []

    def _values(self, point: Sequence[float]) -> Hyperparameters:
        places = {path: place for (path, _), place in zip(self._varying, point, strict=True)}
        return nested({path: from_unit(p, places.get(path, 0.0)) for path, p in self._parameters})


def _place(parameter: Parameter, hyperparameters: Hyperparameters, path: tuple[str, ...]) -> float:
    found: Any = hyperparameters
    for key in path:
        if not isinstance(found, Mapping) or key not in found:
            return 0.5
        found = found[key]
    return to_unit(parameter, found)


def _number(options: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    value = options.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"searcher.sampler.{name} must be a number between {low} and {high}; got {value!r}")
    return value
