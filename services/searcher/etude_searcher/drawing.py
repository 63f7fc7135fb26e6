"""Drawing: hyperparameters of new trials, within conditions and constraints, and without repeating themselves. Pure."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from etude.config import ExperimentConfig, Explore, Expression, Int, Parameter
from etude.events import Hyperparameters
from etude_searcher.plugins import SAMPLERS, plugin
from etude_searcher.samplers import Sampler
from etude_searcher.samplers.grid import finite_points
from etude_searcher.samplers.random import draw
from etude_searcher.samplers.sampler import nested

_REDRAWS = 100
_TRIES = 10_000
_MOST_LISTED = 10_000
_EXPLORE_STREAM = 0xE7
_PROBE_STREAM = 0x9B
_PROBES = 300
_LONGEST_TOLD = 200  # characters of values


class NoDrawError(ValueError):
    """The constraints leave nothing, or next to nothing, to draw."""


class Drawing:
    """Gives each trial its hyperparameters.

    Randomness is a function of the seed, the number of the trial and the attempt, so that a draw does not depend on
    the draws before it (but for samplers that learn).

    Parameters
    ----------
    config : a validated configuration
    seed : the experiment's seed

    Raises
    ------
    UnknownPluginError
        The configuration names a sampler that is not installed.
    """

    def __init__(self, config: ExperimentConfig, seed: int) -> None:
        self._config = config
        self._space = config.hyperparameters
        self._seed = seed
        self._constraints = [Expression(text) for text in config.constraints]
        options = config.searcher.sampler.model_extra or {} if config.searcher.sampler else {}
        self.sampler: Sampler = plugin(SAMPLERS, config.searcher.sampler_name)(
            self._space, self._fits if self._constraints else None, options, seed
        )
        self._drawn: set[str] = set()

    def first(self, trial_id: int) -> Hyperparameters:
        """The hyperparameters of a new trial, as its sampler proposes them.

        Raises
        ------
        NoDrawError
            Thousands of draws did not satisfy the constraints.
        """
        redraws = 0
        for attempt in range(_TRIES):
            generator = np.random.default_rng((self._seed, trial_id, attempt))
            values = self._space.active(self.sampler.draw(trial_id, generator, attempt))
            if trial_id == 1 and attempt < _REDRAWS:  # what has no prior is drawn until the constraints hold
                values = self._space.active(_overlay(values, self._priors()))
            if not self._fits(values):
                continue
            if self._repeats(values) and redraws < _REDRAWS:
                redraws += 1
                continue
            if self._repeats(values):
                values = self._point_that_is_left(generator) or values
            return self.remember(values)
        raise NoDrawError(
            f"none of {_TRIES} draws satisfies constraints: {'; '.join(self._config.constraints)}; "
            "widen the ranges, or the constraints"
        )

    def probe(self) -> None:
        """Compute conditions and constraints for as many draws as trials may see later; none of them is taken.

        Raises
        ------
        ValueError
            They cannot be computed for some values, which are named.
        """
        if not self._constraints and not any(parameter.condition for _, parameter in self._space.parameters()):
            return
        generator = np.random.default_rng((self._seed, _PROBE_STREAM))
        for _ in range(_PROBES):
            values = nested({path: draw(parameter, generator) for path, parameter in self._space.parameters()})
            try:
                self._fits(self._space.active(values))
            except ValueError as error:
                raise ValueError(f"{error}, with {json.dumps(values):.{_LONGEST_TOLD}}") from None

    def _point_that_is_left(self, generator: np.random.Generator) -> Hyperparameters | None:
        """One of the last points of a small space that no trial has; None if there is none, or the space is large."""
        left = [values for values in finite_points(self._space, _MOST_LISTED) if self._fits(values)]
        left = [values for values in left if not self._repeats(values)]
        return left[int(generator.integers(len(left)))] if left else None

    def explored(self, trial_id: int, source: Hyperparameters, explore: Explore) -> Hyperparameters:
        """The hyperparameters of a clone: each drawn anew, or a step away from its source's.

        Numbers are multiplied by ``1 ± perturb_factor``, each sign half the time; integers are floored going down and
        ceiled going up; all stay within their ranges (Jaderberg et al., 2017, section 4.1).
        """
        values = source
        for attempt in range(_REDRAWS):
            generator = np.random.default_rng((self._seed, trial_id, attempt, _EXPLORE_STREAM))
            flat = {
                path: _explored(parameter, _found(source, path), explore, generator)
                for path, parameter in self._space.parameters()
            }
            values = self._space.active(nested(flat))
            if self._fits(values):
                break
        return self.remember(values)

    def within(self, config: ExperimentConfig, drawn: Mapping[int, Hyperparameters]) -> "Drawing":
        """The same within other ranges: what is taken and what was learned stay.

        Parameters
        ----------
        drawn : hyperparameters of all trials
        """
        other = Drawing(config, self._seed)
        other.remember_all(drawn.values())
        other.sampler.restore(self.sampler.snapshot(), drawn)
        return other

    def remember(self, values: Hyperparameters) -> Hyperparameters:
        """These are taken."""
        self._drawn.add(digest(values))
        return values

    def remember_all(self, drawn: Iterable[Hyperparameters]) -> None:
        """All of these are taken."""
        self._drawn = {digest(values) for values in drawn}

    def _repeats(self, values: Hyperparameters) -> bool:
        return self._config.varies and not self._config.searcher.repeats and digest(values) in self._drawn

    def _fits(self, values: Hyperparameters) -> bool:
        return all(constraint.holds(values) for constraint in self._constraints)

    def _priors(self) -> dict[tuple[str, ...], Any]:
        return {path: p.first for path, p in self._space.parameters() if p.first is not None}


def digest(hyperparameters: Hyperparameters) -> str:
    """The same for the same values, whatever the order of their names."""
    canonical = json.dumps(hyperparameters, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _overlay(values: Hyperparameters, over: Mapping[tuple[str, ...], Any]) -> Hyperparameters:
    result: dict[str, Any] = json.loads(json.dumps(values))
    for path, value in over.items():
        place = result
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = value
    return result


def _found(values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = values
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _explored(parameter: Parameter, value: Any, explore: Explore, generator: np.random.Generator) -> Any:
    resampled = draw(parameter, generator)
    up = generator.random() < 0.5  # drawn in any case, so that no draw depends on the one before
    if value is None or generator.random() < explore.resample_probability:
        return resampled
    if parameter.type == "const" or parameter.type == "categorical" or isinstance(value, bool):
        return value
    low, high = parameter.span
    moved = value * (1 + explore.perturb_factor if up else 1 - explore.perturb_factor)
    if isinstance(parameter, Int):
        return int(min(max(math.ceil(moved) if up else math.floor(moved), low), high))
    return float(min(max(moved, low), high))
