"""The Python SDK: create experiments, watch them, steer them."""

from etude.client.api import ApiClient, ApiError
from etude.client.client import Client
from etude.client.experiment import NewExperiment, prepare

__all__ = ["ApiClient", "ApiError", "Client", "NewExperiment", "prepare"]
