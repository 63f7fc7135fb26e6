"""Questions about trials."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from etude_metrics.api.answers import answer, page, told
from etude_metrics.api.kept import Kept
from etude_metrics.api.known import Known
from etude_metrics.api.models import Allocation, Checkpoint, Line, Page, Placement, Point, Series, Trial
from etude_metrics.api.parameters import Cursor, Limit, MaxPoints
from etude_metrics.api.problems import described
from etude_metrics.api.queries import Queries

_PATH = "/experiments/{experiment_id}/trials"
_TRIAL = f"{_PATH}/{{trial_id}}"


def trials(queries: Queries, known: Known, kept: Kept) -> APIRouter:
    """``/experiments/ID/trials`` and what is below one."""
    router = APIRouter(tags=["trials"])

    @router.get(_PATH, response_model=Page[Trial], responses=described(404, 422, 503))
    async def list_trials(
        request: Request,
        experiment_id: str,
        limit: Limit = 100,
        cursor: Cursor = None,
        state: Annotated[str, Query(description="Only those in this state.")] = "",
        sort: Annotated[
            str,
            Query(
                pattern=r"^-?[A-Za-z_][\w.-]*$",
                max_length=200,
                description="A field (`best` is the best value), a metric or a hyperparameter; with `-`, downwards.",
            ),
        ] = "trial_id",
        where: Annotated[
            str,
            Query(
                max_length=500,
                description="An expression over fields, metrics and hyperparameters.",
                examples=["learning_rate < 0.1 and accuracy > 0.9"],
            ),
        ] = "",
    ) -> Response:
        """Trials, by number unless `sort` says otherwise; without the last lines of their logs."""
        experiment = await known.experiment(experiment_id)

        async def make() -> Any:
            _, table = await known.trials(experiment_id)
            return page(Trial, *await table.page(sort, where, state, limit, cursor))

        return await kept.answer(request, experiment["version"], make)

    @router.get("/experiments/{experiment_id}/best-trials", response_model=Page[Trial], responses=described(404, 503))
    async def best_trials(request: Request, experiment_id: str, limit: Limit = 10) -> Response:
        """Trials by their best validation."""

        async def make() -> Any:
            return page(Trial, await queries.best_trials(experiment_id, limit))

        return await kept.answer(request, (await known.experiment(experiment_id))["version"], make)

    @router.get(_TRIAL, response_model=Trial, responses=described(404, 422, 503))
    async def trial(request: Request, experiment_id: str, trial_id: int) -> Response:
        """One trial."""
        return answer(request, told(Trial, await known.trial(experiment_id, trial_id)))

    @router.get(f"{_TRIAL}/placement", response_model=Placement, responses=described(404, 422, 503))
    async def placement(request: Request, experiment_id: str, trial_id: int) -> Response:
        """Where a trial is, or why it is nowhere."""
        return answer(request, await queries.placement(await known.trial(experiment_id, trial_id)))

    @router.get(f"{_TRIAL}/allocations", response_model=Page[Allocation], responses=described(404, 422, 503))
    async def allocations(request: Request, experiment_id: str, trial_id: int) -> Response:
        """Where and when a trial ran."""
        await known.trial(experiment_id, trial_id)  # whose version does not tell that an allocation was given up
        return answer(request, page(Allocation, await queries.allocations(experiment_id, trial_id)))

    @router.get(f"{_TRIAL}/training", response_model=Page[Point], responses=described(404, 422, 503))
    async def training(
        request: Request, experiment_id: str, trial_id: int, limit: Limit = 1000, cursor: Cursor = None
    ) -> Response:
        """Training metrics, by lease and length."""
        await known.trial(experiment_id, trial_id)

        async def make() -> Any:
            return page(Point, *await queries.training(experiment_id, trial_id, limit, cursor))

        return await kept.recent(request, make)

    @router.get(f"{_TRIAL}/training-curves", response_model=Page[Series], responses=described(404, 422, 503))
    async def training_curves(
        request: Request, experiment_id: str, trial_id: int, max_points: MaxPoints = 1000
    ) -> Response:
        """Each training metric over length, thinned out; what a later lease trained again counts."""
        await known.trial(experiment_id, trial_id)

        async def make() -> Any:
            return page(Series, await queries.training_series(experiment_id, trial_id, max_points))

        return await kept.recent(request, make)

    @router.get(f"{_TRIAL}/logs", response_model=Page[Line], responses=described(404, 422, 503))
    async def logs(
        request: Request, experiment_id: str, trial_id: int, limit: Limit = 1000, cursor: Cursor = None
    ) -> Response:
        """Output, in the order in which it was written."""
        await known.trial(experiment_id, trial_id)

        async def make() -> Any:
            return page(Line, *await queries.logs(experiment_id, trial_id, limit, cursor))

        return await kept.recent(request, make)

    @router.get(f"{_TRIAL}/checkpoints", response_model=Page[Checkpoint], responses=described(404, 422, 503))
    async def checkpoints(
        request: Request, experiment_id: str, trial_id: int, limit: Limit = 100, cursor: Cursor = None
    ) -> Response:
        """Checkpoints, by lease and length."""
        version = (await known.trial(experiment_id, trial_id))["version"]

        async def make() -> Any:
            return page(Checkpoint, *await queries.checkpoints(experiment_id, trial_id, limit, cursor))

        return await kept.answer(request, version, make)

    return router
