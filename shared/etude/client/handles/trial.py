"""Trial: one trial, as it was when it was asked for."""

from collections.abc import Iterator, Mapping
from typing import Any

from etude.client.api import ApiClient
from etude.client.handles.checkpoint import Checkpoint


class Trial:
    """A trial.

    Attributes
    ----------
    id : its number within the experiment
    document : all that the query API tells of it
    """

    def __init__(self, api: ApiClient, document: Mapping[str, Any]) -> None:
        self._api = api
        self._path = f"/experiments/{document['experiment_id']}/trials/{document['trial_id']}"
        self.id: int = document["trial_id"]
        self.document = document

    def __repr__(self) -> str:
        return f"Trial({self.id}, {self.state}, best {self.value}, {self.hyperparameters})"

    @property
    def state(self) -> str:
        """Such as ``running``, ``paused``, ``stopped`` or ``finished``."""
        return str(self.document["state"])

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """What was drawn for it."""
        return dict(self.document["hyperparameters"])

    @property
    def value(self) -> float | None:
        """Its best validation of the metric that the search is for."""
        best = self.document["best"]
        return best["value"] if best else None

    @property
    def metrics(self) -> dict[str, float | None]:
        """Those of its latest validation."""
        return dict(self.document["metrics"] or {})

    def training_curves(self, max_points: int = 1000) -> dict[str, tuple[list[int], list[float | None]]]:
        """Lengths and values of each training metric, thinned out."""
        found = self._api.pages(f"{self._path}/training-curves", max_points=max_points)
        return {series["metric"]: (series["lengths"], series["values"]) for series in found}

    def logs(self) -> Iterator[str]:
        """Its output, line by line."""
        return (str(line["text"]) for line in self._api.pages(f"{self._path}/logs"))

    def why(self) -> list[str]:
        """What was decided about it and why, in words."""
        found = self._api.pages(f"/experiments/{self.document['experiment_id']}/decisions", trial_id=self.id)
        return [reason for decision in found for reason in decision["reasons"]]

    def checkpoints(self) -> list[Checkpoint]:
        """Those that are still there, by length."""
        found = self._api.pages(f"{self._path}/checkpoints")
        experiment_id = self.document["experiment_id"]
        return [Checkpoint(self._api, experiment_id, one) for one in found if not one["deleted"]]
