"""Preview: how many trials a search will train how long, without training any. Pure."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from etude.config import CustomConfig, ExperimentConfig
from etude_searcher.methods.brackets import Brackets
from etude_searcher.simulate import Simulation

_ALL = 1_000_000


@dataclass(frozen=True)
class Group:
    """Trials that are trained alike.

    Attributes
    ----------
    bracket : number of the bracket, from 1; 0 if the search has none
    lengths : the targets of each, in order; totals
    """

    bracket: int
    lengths: tuple[int, ...]
    count: int


@dataclass(frozen=True)
class Preview:
    """What a search does, if its results are all alike.

    Attributes
    ----------
    groups : by bracket, longest training first
    total_length : of all trials together, in ``unit``
    longest : a full training
    """

    groups: list[Group]
    total_length: int
    longest: int
    unit: str

    def to_json(self) -> dict[str, Any]:
        """As ``etude preview-search --json`` prints it."""
        counts: Counter[tuple[int, ...]] = Counter()
        for group in self.groups:
            counts[group.lengths] += group.count
        ordered = sorted(counts, key=lambda lengths: (-lengths[-1], lengths))
        return {
            "trials": [{"count": counts[lengths], "lengths": list(lengths)} for lengths in ordered],
            "total_length": self.total_length,
            "unit": self.unit,
        }


def preview(config: ExperimentConfig, seed: int = 0) -> Preview:
    """Drive the real engine with a made-up metric: every result is the same, and results come in order of length.

    Raises
    ------
    UnknownPluginError, ValueError
        The search cannot be made; see :class:`~etude_searcher.engine.SearchEngine`.
    """
    if isinstance(config.searcher, CustomConfig):
        raise ValueError("a custom search is decided elsewhere; there is nothing to preview")
    metric = config.searcher.metric
    simulation = Simulation(config, lambda _, length: ({metric: 0.0}, float(length)), workers=_ALL, seed=seed)
    simulation.engine.deliberate = False
    outcome = simulation.run()
    if outcome.failure is not None:
        raise ValueError(outcome.failure)
    method = simulation.engine.method
    counts: Counter[tuple[int, tuple[int, ...]]] = Counter()
    for trial_id, targets in outcome.targets.items():
        bracket = method.bracket_of(trial_id) + 1 if isinstance(method, Brackets) else 0
        counts[bracket, tuple(targets)] += 1
    longest = config.searcher.longest
    groups = [Group(bracket, lengths, count) for (bracket, lengths), count in counts.items()]
    groups.sort(key=lambda group: (group.bracket, -group.lengths[-1], group.lengths))
    return Preview(groups, outcome.total_length, longest.amount, longest.unit.value)
