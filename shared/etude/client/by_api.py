"""ByApi: commands over HTTP, for those who do not reach the broker."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etude.client.api import ApiClient

if TYPE_CHECKING:
    from etude.config import ExperimentConfig


class ByApi:
    """Asks the metrics service, which publishes the events: for those who do not reach the broker."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    def create(self, config: "ExperimentConfig", model_directory: Path, tell: Callable[[str], None]) -> str:
        """Send the configuration and the model."""
        from etude.artifacts import check_model_directory
        from etude.artifacts.model_definition import pack

        check_model_directory(model_directory, config)
        files = {
            "config": ("config.yaml", config.model_dump_json().encode()),
            "model": ("model.tar.gz", pack(model_directory, tell)),
        }
        return str(self._api.upload("/experiments", files)["experiment_id"])

    def wish(self, experiment_id: str, verb: str) -> None:
        """Ask for it."""
        self._api.send("POST", f"/experiments/{experiment_id}/{verb}")

    def change(self, experiment: dict[str, Any], assignments: Sequence[str]) -> None:
        """Ask for it."""
        self._api.send("PATCH", f"/experiments/{experiment['experiment_id']}", changes=list(assignments))

    def change_runner(self, runner_id: str, pool: str, enabled: bool, drain: bool, reason: str) -> None:
        """Ask for it."""
        verb = "enable" if enabled else "drain" if drain else "disable"
        self._api.send("POST", f"/runners/{runner_id}/{verb}", reason=reason)

    def discard(self, experiment: dict[str, Any], checkpoint: dict[str, Any]) -> None:
        """Ask for it."""
        path = f"/experiments/{experiment['experiment_id']}/trials/{checkpoint['trial_id']}/checkpoints"
        self._api.send("DELETE", f"{path}/{checkpoint['length']}")

    def delete(self, experiment_id: str) -> None:
        """Ask for it."""
        self._api.send("DELETE", f"/experiments/{experiment_id}")

    def retry(self, experiment_id: str, trial_ids: Sequence[int]) -> None:
        """Ask for it."""
        self._api.send("POST", f"/experiments/{experiment_id}/retries", trials=list(trial_ids))
