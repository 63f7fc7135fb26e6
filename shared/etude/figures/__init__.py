"""Figures of experiments, as plotly draws them: for the web page and for notebooks. Needs ``etude[figures]``.

Each is made of documents as the query API tells them, and of nothing else.
"""

from etude.figures.register import FIGURES, LATEST, draw
from etude.material import Material

__all__ = ["FIGURES", "LATEST", "Material", "draw"]
