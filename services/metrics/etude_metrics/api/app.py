"""The FastAPI application."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, HTTPException, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel

from etude import __version__
from etude.store import DocumentStore
from etude_metrics.api.models import (
    Checkpoint,
    Curve,
    Decision,
    Experiment,
    ExperimentInFull,
    Line,
    Page,
    Placement,
    Point,
    Pool,
    RunnerLine,
    Trial,
    Validation,
)
from etude_metrics.api.queries import Queries

Limit = Annotated[int, Query(ge=1, le=1000, description="The most items of a page.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.")]
Number = Annotated[str | None, Query(pattern=r"^\d{1,18}$", description="`next_cursor` of the page before.")]
AnyPage = TypeVar("AnyPage", bound=BaseModel)
Ready = Callable[[], Awaitable[str | None]]
"""Says what is missing, or None if everything answers."""


def create_app(store: DocumentStore, ready: Ready, registry: CollectorRegistry) -> FastAPI:
    """The query API over a store.

    Parameters
    ----------
    ready : for ``/readyz``
    registry : for ``/metrics``
    """
    app = FastAPI(
        title="etude",
        version=__version__,
        description="What happened in the experiments of an etude installation.",
    )
    queries = Queries(store)
    _add_health(app, ready, registry)
    _add_experiments(app, queries)
    _add_trials(app, queries)
    _add_pools(app, queries)
    return app


def _add_health(app: FastAPI, ready: Ready, registry: CollectorRegistry) -> None:
    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        """The process is alive."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"], responses={503: {"description": "The database or the broker is away."}})
    async def readyz(response: Response) -> dict[str, str]:
        """The process can do its work."""
        missing = await ready()
        if missing is not None:
            response.status_code = 503
        return {"status": missing or "ok"}

    @app.get("/metrics", tags=["health"], response_class=Response)
    async def metrics() -> Response:
        """Figures of this process, for Prometheus."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _add_experiments(app: FastAPI, queries: Queries) -> None:
    known = _Known(queries)

    @app.get("/api/v1/experiments", tags=["experiments"])
    async def experiments(limit: Limit = 100, cursor: Cursor = None, state: str | None = None) -> Page[Experiment]:
        """Experiments, the latest first."""
        return _answer(Page[Experiment], await queries.experiments(state, limit, cursor))

    @app.get("/api/v1/experiments/{experiment_id}", tags=["experiments"], responses=_NOT_FOUND)
    async def experiment(experiment_id: str) -> ExperimentInFull:
        """One experiment."""
        found = await known.experiment(experiment_id)
        states = await queries.trial_states(experiment_id)
        return ExperimentInFull.model_validate({**found, "trial_states": states})

    @app.get("/api/v1/experiments/{experiment_id}/validations", tags=["experiments"], responses=_NOT_FOUND)
    async def validations(
        experiment_id: str, limit: Limit = 100, cursor: Number = None, trial_id: int | None = None
    ) -> Page[Validation]:
        """Validations, in the order in which they came."""
        await known.experiment(experiment_id)
        found = await queries.validations(experiment_id, trial_id, False, limit, cursor)
        return _answer(Page[Validation], found)

    @app.get("/api/v1/experiments/{experiment_id}/best-validations", tags=["experiments"], responses=_NOT_FOUND)
    async def best_validations(experiment_id: str, limit: Limit = 100, cursor: Number = None) -> Page[Validation]:
        """The best validation over time: each that was better than all before it."""
        await known.experiment(experiment_id)
        return _answer(Page[Validation], await queries.validations(experiment_id, None, True, limit, cursor))

    @app.get("/api/v1/experiments/{experiment_id}/learning-curves", tags=["experiments"], responses=_NOT_FOUND)
    async def learning_curves(
        experiment_id: str, limit: Limit = 100, cursor: Number = None, metric: str | None = None
    ) -> Page[Curve]:
        """A metric (the searcher's, unless another is named) over length, for trials by number."""
        experiment = await known.experiment(experiment_id)
        found = await queries.curves(experiment_id, metric or experiment["metric"] or "", limit, cursor)
        return _answer(Page[Curve], found)

    @app.get("/api/v1/experiments/{experiment_id}/decisions", tags=["experiments"], responses=_NOT_FOUND)
    async def decisions(experiment_id: str, limit: Limit = 100, cursor: Number = None) -> Page[Decision]:
        """The search log: every decision, in order."""
        await known.experiment(experiment_id)
        return _answer(Page[Decision], await queries.decisions(experiment_id, limit, cursor))


def _add_trials(app: FastAPI, queries: Queries) -> None:
    known = _Known(queries)
    trial_path = "/api/v1/experiments/{experiment_id}/trials/{trial_id}"

    @app.get("/api/v1/experiments/{experiment_id}/trials", tags=["trials"], responses=_NOT_FOUND)
    async def trials(
        experiment_id: str, limit: Limit = 100, cursor: Number = None, state: str | None = None
    ) -> Page[Trial]:
        """Trials by number."""
        await known.experiment(experiment_id)
        return _answer(Page[Trial], await queries.trials(experiment_id, state, limit, cursor))

    @app.get("/api/v1/experiments/{experiment_id}/best-trials", tags=["trials"], responses=_NOT_FOUND)
    async def best_trials(experiment_id: str, limit: Limit = 10) -> Page[Trial]:
        """Trials by their best validation."""
        await known.experiment(experiment_id)
        return _answer(Page[Trial], (await queries.best_trials(experiment_id, limit), None))

    @app.get(trial_path, tags=["trials"], responses=_NOT_FOUND)
    async def trial(experiment_id: str, trial_id: int) -> Trial:
        """One trial."""
        return Trial.model_validate(await known.trial(experiment_id, trial_id))

    @app.get(f"{trial_path}/placement", tags=["trials"], responses=_NOT_FOUND)
    async def placement(experiment_id: str, trial_id: int) -> Placement:
        """Where a trial is, or why it is nowhere."""
        return Placement.model_validate(await queries.placement(await known.trial(experiment_id, trial_id)))

    @app.get(f"{trial_path}/training", tags=["trials"], responses=_NOT_FOUND)
    async def training(experiment_id: str, trial_id: int, limit: Limit = 1000, cursor: Cursor = None) -> Page[Point]:
        """Training metrics, by lease and length."""
        await known.trial(experiment_id, trial_id)
        return _answer(Page[Point], await queries.training(experiment_id, trial_id, limit, cursor))

    @app.get(f"{trial_path}/logs", tags=["trials"], responses=_NOT_FOUND)
    async def logs(experiment_id: str, trial_id: int, limit: Limit = 1000, cursor: Cursor = None) -> Page[Line]:
        """Output, in the order in which it was written."""
        await known.trial(experiment_id, trial_id)
        return _answer(Page[Line], await queries.logs(experiment_id, trial_id, limit, cursor))

    @app.get(f"{trial_path}/checkpoints", tags=["trials"], responses=_NOT_FOUND)
    async def checkpoints(
        experiment_id: str, trial_id: int, limit: Limit = 100, cursor: Cursor = None
    ) -> Page[Checkpoint]:
        """Checkpoints, by lease and length."""
        await known.trial(experiment_id, trial_id)
        return _answer(Page[Checkpoint], await queries.checkpoints(experiment_id, trial_id, limit, cursor))


def _add_pools(app: FastAPI, queries: Queries) -> None:
    @app.get("/api/v1/pools", tags=["fleet"])
    async def pools() -> Page[Pool]:
        """Resource pools: their runners, and what each experiment holds of them."""
        return _answer(Page[Pool], (await queries.pools(), None))

    @app.get("/api/v1/runners/{runner_id}/logs", tags=["fleet"])
    async def runner_logs(runner_id: str, limit: Limit = 1000, cursor: Cursor = None) -> Page[RunnerLine]:
        """What a runner logged of itself, the latest of it, in order; nothing if it is not known."""
        return _answer(Page[RunnerLine], await queries.runner_log(runner_id, limit, cursor))


_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such experiment or trial."}}


class _Known:
    """Looks things up, or answers 404."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def experiment(self, experiment_id: str) -> dict[str, Any]:
        found = await self._queries.experiment(experiment_id)
        if found is None:
            raise HTTPException(
                404, f"no experiment {experiment_id}; GET /api/v1/experiments lists those that there are"
            )
        return found

    async def trial(self, experiment_id: str, trial_id: int) -> dict[str, Any]:
        await self.experiment(experiment_id)
        found = await self._queries.trial(experiment_id, trial_id)
        if found is None:
            raise HTTPException(404, f"experiment {experiment_id} has no trial {trial_id}")
        return found


def _answer(page: type[AnyPage], found: tuple[list[dict[str, Any]], str | None]) -> AnyPage:
    items, cursor = found
    return page.model_validate({"items": items, "next_cursor": cursor})
