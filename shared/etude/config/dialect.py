"""Older dialects of the configuration, rewritten into today's.

Determined's configurations came in three: steps of ``batches_per_step`` batches (2020), lengths (since 0.12), and a
time metric (0.38). Each is a matter of other names and other units.
"""

from collections.abc import Mapping
from typing import Any

from etude.config.errors import Problem

Path = tuple[str | int, ...]
_STEPS = {  # field of the searcher in the steps dialect: its name today
    "max_steps": "max_length",
    "target_trial_steps": "max_length",
    "step_budget": "budget",
    "steps_per_round": "length_per_round",
}
_LENGTHS = {"target_trial_length": "max_length"}
_PERIODS = ("min_validation_period", "min_checkpoint_period")
_STEP_BATCHES = 100
_TIMES = ("batches", "epochs", "records")


class Dialect:
    """A configuration in today's words, and the way back to the words that its author used.

    Attributes
    ----------
    raw : the configuration in today's dialect
    problems : what could not be understood
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = dict(raw)
        self.problems: list[Problem] = []
        self._written: dict[Path, Path] = {}
        searcher = self.raw.get("searcher")
        self._searcher = dict(searcher) if isinstance(searcher, Mapping) else None
        if self._searcher is not None:
            self.raw["searcher"] = self._searcher
        self._steps()
        if self._searcher is not None:
            self._time(self._searcher)
            for old, new in _LENGTHS.items():
                self._rename(self._searcher, ("searcher",), old, new)

    def as_written(self, path: Path) -> Path:
        """Where a path of today's dialect is in the author's."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._written:
                return (*self._written[path[:length]], *path[length:])
        return path

    def _steps(self) -> None:
        old = "batches_per_step" in self.raw or bool(self._searcher and _STEPS.keys() & self._searcher.keys())
        if not old:
            return
        self._rename(self.raw, (), "batches_per_step", "scheduling_unit")
        batches = self.raw.get("scheduling_unit", _STEP_BATCHES)
        if not isinstance(batches, int) or isinstance(batches, bool) or batches < 1:
            batches = 1  # which is a mistake of its own
        for name in _PERIODS:
            self._in_steps(self.raw, name, batches)
        if self._searcher is not None:
            for name, today in _STEPS.items():
                self._in_steps(self._searcher, name, batches)
                self._rename(self._searcher, ("searcher",), name, today)

    def _time(self, searcher: dict[str, Any]) -> None:
        if "max_time" not in searcher:
            return
        unit = searcher.pop("time_metric", "batches")
        if unit not in _TIMES:
            self.problems.append(
                Problem(
                    "searcher.time_metric",
                    f"{unit!r} is no unit of length; use one that trials report by themselves: {', '.join(_TIMES)}",
                )
            )
            unit = "batches"
        if isinstance(searcher["max_time"], int):
            searcher["max_time"] = {unit: searcher["max_time"]}
        self._rename(searcher, ("searcher",), "max_time", "max_length")

    def _in_steps(self, section: dict[str, Any], name: str, batches: int) -> None:
        value = section.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            section[name] = {"batches": value * batches}

    def _rename(self, section: dict[str, Any], prefix: Path, old: str, new: str) -> None:
        if old in section and new not in section:
            section[new] = section.pop(old)
            self._written[(*prefix, new)] = (*prefix, old)
