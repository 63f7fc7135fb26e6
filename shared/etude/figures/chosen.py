"""Chosen: of many, as many as an eye can tell apart and a browser draws at once."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import plotly.graph_objects as go

from etude.figures.register import LATEST
from etude.material import Document, Material

T = TypeVar("T")


def evenly(items: Sequence[T], most: int) -> list[T]:
    """At most so many, in their order, at even distances.

    >>> evenly([1, 2, 3, 4, 5, 6, 7], 3)
    [1, 3, 5]
    """
    step = max(1.0, len(items) / most)
    return [items[int(number * step)] for number in range(min(most, len(items)))]


def chosen(items: Sequence[T], most: int, rank: Callable[[T], Any]) -> list[T]:
    """At most so many, in their order: half of them the first by rank, the others evenly over the rest.

    >>> chosen([5, 1, 9, 8, 2, 7, 6, 4], 4, rank=lambda item: item)
    [5, 1, 2, 7]
    """
    if len(items) <= most:
        return list(items)
    by_rank = sorted(range(len(items)), key=lambda index: (rank(items[index]), index))
    first = set(by_rank[: most // 2])
    others = evenly([index for index in range(len(items)) if index not in first], most - len(first))
    return [items[index] for index in sorted(first.union(others))]


def best_trials(material: Material, most: int) -> Material:
    """The same with at most so many of those trials that have a result: half the best ones, half of all sorts."""
    sign = 1 if material.smaller_is_better else -1
    return _only(material, lambda there: chosen(there, most, lambda trial: sign * trial["best"]["value"]), most)


def even_trials(material: Material, most: int) -> Material:
    """The same with at most so many of those trials that have a result, evenly over time."""
    return _only(material, lambda there: evenly(there, most), most)


def _only(material: Material, choose: Callable[[list[Document]], list[Document]], most: int) -> Material:
    there = [trial for trial in material.trials if trial["best"]]
    if len(there) <= most:
        return material
    kept = choose(there)
    numbers = {trial["trial_id"] for trial in kept}
    curves = [curve for curve in material.curves if curve["trial_id"] in numbers]
    return replace(material, trials=kept, curves=curves)


def noted(made: go.Figure, shown: int, there: int, what: str) -> go.Figure:
    """With a line that says how many of how many it shows, unless it shows all."""
    return _said(made, f"{shown:,} of {there:,} {what}: the best, and others evenly") if shown < there else made


def latest(made: go.Figure, shown: int, what: str) -> go.Figure:
    """With a line that says that it shows the latest, if there are so many that there may be more."""
    return _said(made, f"the latest {shown:,} {what}") if shown >= LATEST else made


def _said(made: go.Figure, text: str) -> go.Figure:
    made.add_annotation(text=text, showarrow=False, x=1, y=-0.16, xref="paper", yref="paper", font={"size": 11})
    return made
