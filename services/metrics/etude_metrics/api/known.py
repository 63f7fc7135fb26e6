"""Known: looks things up, or answers that there is no such thing."""

from etude.store import Document
from etude_metrics.api.fresh import Fresh
from etude_metrics.api.pace import Pace
from etude_metrics.api.problems import ProblemError
from etude_metrics.api.queries import Queries
from etude_metrics.api.table import TrialTable, TrialTables


class Known:
    """What questions are about.

    Parameters
    ----------
    queries : reads documents
    tables : trials in memory
    pace : how new it is
    """

    def __init__(self, queries: Queries, tables: TrialTables, pace: Pace | None = None) -> None:
        self._queries = queries
        self._tables = tables
        self._experiments: Fresh[Document | None] = Fresh(pace or Pace())
        self._trials: Fresh[Document | None] = Fresh(pace or Pace())

    async def experiment(self, experiment_id: str) -> Document:
        """An experiment.

        Raises
        ------
        ProblemError
            404: there is none.
        """
        found = await self._experiments.get(experiment_id, lambda: self._queries.experiment(experiment_id))
        if found is None:
            raise ProblemError(
                404, f"no experiment {experiment_id}; GET /api/v1/experiments lists those that there are"
            )
        return found

    async def trial(self, experiment_id: str, trial_id: int) -> Document:
        """A trial.

        Raises
        ------
        ProblemError
            404: there is none, or no such experiment.
        """
        key = (experiment_id, trial_id)
        found = await self._trials.get(key, lambda: self._queries.trial(experiment_id, trial_id))
        if found is None:
            await self.experiment(experiment_id)
            raise ProblemError(404, f"experiment {experiment_id} has no trial {trial_id}")
        return found

    async def trials(self, experiment_id: str) -> tuple[Document, TrialTable]:
        """An experiment and all of its trials.

        Raises
        ------
        ProblemError
            404: there is none.
        """
        experiment = await self.experiment(experiment_id)
        return experiment, await self._tables.table(experiment_id, experiment["version"])
