"""All figures by name. What draws them is loaded when it is asked to: names alone cost nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from etude.material import Material

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    Attributes
    ----------
    module : of this package, where a function of the figure's name makes it
    needs : parts of the material, besides the experiment and its trials
    """

    module: str
    needs: tuple[str, ...] = ()


LATEST = 4000
"""As many decisions or allocations are drawn, the latest."""
FIGURES: dict[str, Kind] = {
    "best": Kind("progress", ("best",)),
    "curves": Kind("progress", ("curves",)),
    "ladder": Kind("ladder", ("curves",)),
    "parallel": Kind("parallel"),
    "slices": Kind("standard"),
    "contour": Kind("standard"),
    "importance": Kind("standard"),
    "timeline": Kind("timeline", ("allocations",)),
    "trace": Kind("trace", ("decisions",)),
}


def draw(name: str, material: Material) -> "go.Figure":
    """A figure by its name in :data:`FIGURES`."""
    make: Callable[[Material], go.Figure] = getattr(import_module(f"etude.figures.{FIGURES[name].module}"), name)
    return make(material)
