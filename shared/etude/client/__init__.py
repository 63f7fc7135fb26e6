"""The Python SDK: create experiments, watch them, steer them."""

from typing import TYPE_CHECKING, Any

from etude.client.api import ApiClient
from etude.client.asking import Asking, Question
from etude.client.client import Client
from etude.client.errors import ApiError
from etude.client.handles import Checkpoint, Experiment, Plot, Trial

if TYPE_CHECKING:
    from etude.client.experiment import NewExperiment, prepare

__all__ = [
    "ApiClient",
    "ApiError",
    "Asking",
    "Checkpoint",
    "Client",
    "Experiment",
    "NewExperiment",
    "Plot",
    "Question",
    "Trial",
    "prepare",
]


def __getattr__(name: str) -> Any:
    """What creates experiments is loaded when it is asked for: most commands only ask."""
    if name in ("NewExperiment", "prepare"):
        from etude.client import experiment

        return getattr(experiment, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
