"""Drawing: figures and what else takes long to work out. It is done in a process of its own, which starts when it is
needed and ends when it is not, so that whoever asks for anything else does not wait."""

from etude_metrics.drawing.artist import Artist, Work
from etude_metrics.drawing.studio import Studio

__all__ = ["Artist", "Studio", "Work"]
