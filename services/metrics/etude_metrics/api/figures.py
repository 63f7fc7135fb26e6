"""Figures of experiments, and the data behind them."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from etude.figures import FIGURES
from etude_metrics.api.answers import Body, page
from etude_metrics.api.kept import Kept
from etude_metrics.api.known import Known
from etude_metrics.api.models import Allocation, Importance, Page, Rung
from etude_metrics.api.parameters import Limit
from etude_metrics.api.problems import described
from etude_metrics.api.queries import Queries
from etude_metrics.drawing import Work

Make = Callable[[str, str], Awaitable[Body]]
"""Makes a figure, or other work of an artist, for an experiment."""

_PATH = "/experiments/{experiment_id}"
FigureName = StrEnum("FigureName", {name.upper(): name for name in FIGURES})  # type: ignore[misc]
FigureName.__doc__ = "A figure."
_DRAWN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The figure, for plotly.",
        "content": {"application/json": {"schema": {"type": "object", "required": ["data", "layout"]}}},
    }
}


def figures(queries: Queries, known: Known, kept: Kept, make: Make) -> APIRouter:
    """``/experiments/ID/figures`` and what they are made of."""
    router = APIRouter(tags=["figures"])

    async def made(request: Request, experiment_id: str, what: str) -> Response:
        version = (await known.experiment(experiment_id))["version"]
        return await kept.answer(request, version, lambda: make(experiment_id, what))

    @router.get(f"{_PATH}/figures/{{name}}", responses={**_DRAWN, **described(404, 422, 503)}, response_class=Response)
    async def figure(request: Request, experiment_id: str, name: FigureName) -> Response:
        """A figure of the experiment, as JSON for plotly (`plotly.io.from_json`, `Plotly.newPlot`)."""
        return await made(request, experiment_id, name.value)

    @router.get(f"{_PATH}/importance", response_model=Page[Importance], responses=described(404, 503))
    async def importance(request: Request, experiment_id: str) -> Response:
        """How much of the differences between results each hyperparameter explains (fANOVA), the greatest first."""
        return await made(request, experiment_id, Work.IMPORTANCES)

    @router.get(f"{_PATH}/rungs", response_model=Page[Rung], responses=described(404, 503))
    async def list_rungs(request: Request, experiment_id: str) -> Response:
        """The rungs of each bracket: who reached them, the best first, what became of them, and who is on the way."""
        return await made(request, experiment_id, Work.RUNGS)

    @router.get(f"{_PATH}/timeline", response_model=Page[Allocation], responses=described(404, 422, 503))
    async def timeline(
        request: Request, experiment_id: str, limit: Limit = 1000, cursor: Annotated[str, Query(max_length=400)] = ""
    ) -> Response:
        """Which trial ran where and when, in the order in which they began."""

        async def listed() -> Any:
            return page(Allocation, *await queries.timeline(experiment_id, limit, cursor))

        return await kept.answer(request, (await known.experiment(experiment_id))["version"], listed)

    return router
