"""Plot: the figures of the web page, for notebooks."""

import time
from typing import Any

from etude.client.api import ApiClient
from etude.client.errors import ApiError

_TRIES = 20
_PAUSE_SECONDS = 0.5


class Plot:
    """The figures of an experiment, as the metrics service draws them. Needs plotly here.

    ``plot.best()``, ``curves``, ``ladder``, ``parallel``, ``slices``, ``contour``, ``importance``, ``timeline`` and
    ``trace`` return a ``plotly.graph_objects.Figure``.
    """

    def __init__(self, api: ApiClient, experiment_id: str) -> None:
        self._api = api
        self._path = f"/experiments/{experiment_id}/figures"

    def __call__(self, name: str) -> Any:
        """A figure by its name.

        Raises
        ------
        ApiError
            There is none of this name, or plotly is not installed here.
        """
        try:
            from plotly.io import from_json
        except ImportError:
            raise ApiError("figures need plotly here: pip install etude[figures]") from None
        for _ in range(_TRIES):
            text, old = self._api.text(f"{self._path}/{name}")
            if not old:
                break
            time.sleep(_PAUSE_SECONDS)
        return from_json(text)

    def best(self) -> Any:
        """The best result so far, over time."""
        return self("best")

    def curves(self) -> Any:
        """Learning curves, coloured by the rung that was reached."""
        return self("curves")

    def ladder(self) -> Any:
        """Who is on which rung."""
        return self("ladder")

    def parallel(self) -> Any:
        """A line for each trial through its hyperparameters to its result."""
        return self("parallel")

    def slices(self) -> Any:
        """Results against each hyperparameter."""
        return self("slices")

    def contour(self) -> Any:
        """Results over the two hyperparameters that matter most."""
        return self("contour")

    def importance(self) -> Any:
        """How much each hyperparameter matters."""
        return self("importance")

    def timeline(self) -> Any:
        """Which slot ran which trial when."""
        return self("timeline")

    def trace(self) -> Any:
        """What was decided about which trial."""
        return self("trace")
