"""Experiment: a search of a running installation, to be watched and steered."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from etude.client.errors import ApiError
from etude.client.handles.checkpoint import Checkpoint
from etude.client.handles.plot import Plot
from etude.client.handles.trial import Trial

if TYPE_CHECKING:
    from etude.client.client import Client


class Experiment:
    """An experiment. Properties are asked for anew each time.

    Attributes
    ----------
    id : its id
    plot : its figures: ``experiment.plot.curves()``
    """

    def __init__(self, client: "Client", experiment_id: str) -> None:
        self._client = client
        self._path = f"/experiments/{quote(experiment_id, safe='')}"
        self.id = experiment_id
        self.plot = Plot(client.api, experiment_id)

    def __repr__(self) -> str:
        return f"Experiment({self.id!r})"

    @property
    def document(self) -> dict[str, Any]:
        """All that the query API tells of it."""
        return dict(self._client.api.get(self._path))

    @property
    def name(self) -> str:
        """As its configuration says."""
        return str(self.document["name"])

    @property
    def state(self) -> str:
        """``created``, ``active``, ``paused``, ``completed``, ``failed``, ``canceled`` or ``rejected``."""
        return str(self.document["state"])

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        return float(self.document["progress"])

    @property
    def best(self) -> dict[str, Any] | None:
        """The best validation: ``value``, ``hyperparameters``, ``trial_id``, ``length``; None before the first one."""
        best: dict[str, Any] | None = self.document["best"]
        return best

    @property
    def best_trial(self) -> Trial | None:
        """The trial of the best validation; None before the first one."""
        best = self.best
        return self.trial(best["trial_id"]) if best else None

    def best_checkpoint(self) -> Checkpoint:
        """The checkpoint of the best validation.

        Raises
        ------
        ApiError
            There is none (yet).
        """
        return Checkpoint(self._client.api, self.id, self._client.checkpoint(self.id))

    def trial(self, trial_id: int) -> Trial:
        """A trial by its number."""
        return Trial(self._client.api, self._client.api.get(f"{self._path}/trials/{trial_id}"))

    def trials(self, where: str = "", sort: str = "trial_id", state: str = "") -> list[Trial]:
        """Its trials.

        Parameters
        ----------
        where : an expression over fields, metrics and hyperparameters, such as ``learning_rate < 0.1``
        sort : a field (``best`` is the best value), a metric or a hyperparameter; with ``-``, downwards
        state : only those in this state
        """
        found = self._client.api.pages(f"{self._path}/trials", limit=1000, where=where, sort=sort, state=state)
        return [Trial(self._client.api, document) for document in found]

    def to_dataframe(self) -> Any:
        """A row for each trial: its state, its best result, its hyperparameters. Needs pandas.

        Raises
        ------
        ApiError
            pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise ApiError("a data frame needs pandas: pip install pandas") from None
        from etude.client.material import fetch_material
        from etude.export.tables import tables

        return pd.DataFrame(tables(fetch_material(self._client.api, self.id))["trials"]).set_index("trial_id")

    def wait(self, progress: bool = False) -> "Experiment":
        """Wait for its end; its ``state`` says how it ended.

        Parameters
        ----------
        progress : show a bar meanwhile, in a terminal or a notebook
        """
        if progress:
            from etude.client.progress import show_progress

            show_progress(self._client.watch(self.id))
        else:
            self._client.wait(self.id)
        return self

    def pause(self) -> None:
        """Free its slots; trials keep their checkpoints."""
        self._client.request(self.id, "pause")

    def activate(self) -> None:
        """Go on after a pause."""
        self._client.request(self.id, "activate")

    def cancel(self) -> None:
        """End it; running trials save a checkpoint first."""
        self._client.request(self.id, "cancel")

    def kill(self) -> None:
        """End it at once."""
        self._client.request(self.id, "kill")

    def archive(self) -> None:
        """Take it out of lists."""
        self._client.request(self.id, "archive")

    def unarchive(self) -> None:
        """Show it in lists again."""
        self._client.request(self.id, "unarchive")

    def retry(self, *trial_ids: int) -> list[int]:
        """Try trials again that used up their restarts; all of them, if none is named. Returns which."""
        return self._client.retry(self.id, trial_ids)

    def delete(self) -> None:
        """Delete it, once it is over: all that is known of it, and its checkpoints. There is no way back."""
        self._client.delete(self.id)

    def change(self, *assignments: str) -> None:
        """Change or extend it: ``experiment.change("max_trials=+50")``."""
        self._client.change(self.id, assignments)
