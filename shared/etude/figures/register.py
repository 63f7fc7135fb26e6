"""All figures by name."""

from collections.abc import Callable
from dataclasses import dataclass

import plotly.graph_objects as go

from etude.figures.ladder import ladder
from etude.figures.progress import best, curves
from etude.figures.standard import contour, importance, parallel, slices
from etude.figures.timeline import timeline
from etude.figures.trace import trace
from etude.material import Material


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    Attributes
    ----------
    draw : makes it
    needs : parts of the material, besides the experiment and its trials
    """

    draw: Callable[[Material], go.Figure]
    needs: tuple[str, ...] = ()


FIGURES: dict[str, Kind] = {
    "best": Kind(best, ("best",)),
    "curves": Kind(curves, ("curves",)),
    "ladder": Kind(ladder, ("curves",)),
    "parallel": Kind(parallel),
    "slices": Kind(slices),
    "contour": Kind(contour),
    "importance": Kind(importance),
    "timeline": Kind(timeline, ("allocations",)),
    "trace": Kind(trace, ("decisions",)),
}


def draw(name: str, material: Material) -> go.Figure:
    """A figure by its name in :data:`FIGURES`."""
    return FIGURES[name].draw(material)
