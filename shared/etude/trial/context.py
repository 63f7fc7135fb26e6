"""TrialContext: what a Trial may ask about itself."""

from typing import Any

from pydantic import JsonValue

from etude.core.distributed import Distributed
from etude.core.run import Run
from etude.events import Hyperparameters


class TrialContext:
    """The hyperparameters, data configuration and seed of one trial."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def get_hparam(self, name: str) -> Any:
        """A hyperparameter by name; dots lead into nested ones.

        Raises
        ------
        CoreError
            There is none of that name; those that there are are listed.
        """
        return self.run.get_hparam(name)

    def get_hparams(self) -> Hyperparameters:
        """All hyperparameters of this trial."""
        return dict(self.run.hyperparameters)

    def get_data_config(self) -> Any:
        """The ``data`` section of the configuration."""
        return self.run.data or {}

    def get_experiment_config(self) -> dict[str, JsonValue]:
        """The configuration of the experiment."""
        return dict(self.run.assignment.config)

    def get_experiment_id(self) -> str:
        """The experiment's id."""
        return self.run.assignment.experiment_id

    def get_trial_id(self) -> int:
        """Number of this trial within its experiment."""
        return self.run.assignment.trial_id

    def get_trial_seed(self) -> int:
        """A seed of this trial's own."""
        return self.run.trial_seed

    @property
    def distributed(self) -> Distributed:
        """The processes of this trial, one a slot."""
        return self.run.distributed
