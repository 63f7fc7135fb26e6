"""Commands: what a client asks for, as events to the broker or over HTTP, whichever it reaches."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from etude.config import ExperimentConfig


class Commands(Protocol):
    """Ways to ask for something; each raises what its way may raise."""

    def create(self, config: "ExperimentConfig", model_directory: Path, tell: Callable[[str], None]) -> str:
        """Make an experiment; returns its id. What is packed is told if it is much, or if something stays behind."""

    def wish(self, experiment_id: str, verb: str) -> None:
        """One of :data:`etude.client.wish.VERBS`."""

    def change(self, experiment: dict[str, Any], assignments: Sequence[str]) -> None:
        """Other settings."""

    def change_runner(self, runner_id: str, pool: str, enabled: bool, drain: bool, reason: str) -> None:
        """Take a runner out of service, or back into it."""

    def discard(self, experiment: dict[str, Any], checkpoint: dict[str, Any]) -> None:
        """Delete a checkpoint."""

    def delete(self, experiment_id: str) -> None:
        """Delete an experiment that is over."""

    def retry(self, experiment_id: str, trial_ids: Sequence[int]) -> None:
        """Try trials again that failed; all of them if none is named."""
