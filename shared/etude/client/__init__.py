"""The Python SDK: create experiments, watch them, steer them."""

from etude.client.api import ApiClient, ApiError
from etude.client.asking import Asking, Question
from etude.client.client import Client
from etude.client.experiment import NewExperiment, prepare
from etude.client.handles import Checkpoint, Experiment, Plot, Trial

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
