"""Figures of experiments, and the data behind them."""

import asyncio
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from etude.figures import FIGURES, Material, draw
from etude.figures.ladder import rungs
from etude.figures.standard import importances
from etude_metrics.api.answers import answer, page, to_json
from etude_metrics.api.cache import Cache
from etude_metrics.api.known import Known
from etude_metrics.api.models import Allocation, Importance, Page, Rung
from etude_metrics.api.parameters import Limit
from etude_metrics.api.problems import described
from etude_metrics.api.queries import Queries

_PATH = "/experiments/{experiment_id}"
_MOST = 100_000
FigureName = StrEnum("FigureName", {name.upper(): name for name in FIGURES})  # type: ignore[misc]
FigureName.__doc__ = "A figure."
_DRAWN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The figure, for plotly.",
        "content": {"application/json": {"schema": {"type": "object", "required": ["data", "layout"]}}},
    }
}


def figures(queries: Queries, known: Known) -> APIRouter:
    """``/experiments/ID/figures`` and what they are made of."""
    router = APIRouter(tags=["figures"])
    cache = Cache()

    async def material(experiment_id: str, needs: tuple[str, ...]) -> Material:
        experiment, table = await known.trials(experiment_id)
        parts: dict[str, Any] = {}
        if "curves" in needs:
            parts["curves"] = await queries.all_curves(experiment_id, experiment["metric"] or "")
        if "best" in needs:
            parts["best"], _ = await queries.validations(experiment_id, None, True, _MOST, None)
        if "allocations" in needs:
            parts["allocations"], _ = await queries.timeline(experiment_id, _MOST, "")
        if "decisions" in needs:
            parts["decisions"], _ = await queries.decisions(experiment_id, None, _MOST, None)
        return Material(experiment, [table.trials[number] for number in sorted(table.trials)], **parts)

    @router.get(f"{_PATH}/figures/{{name}}", responses={**_DRAWN, **described(404, 422, 503)}, response_class=Response)
    async def figure(request: Request, experiment_id: str, name: FigureName) -> Response:
        """A figure of the experiment, as JSON for plotly (`plotly.io.from_json`, `Plotly.newPlot`)."""

        async def make() -> bytes:
            made_of = await material(experiment_id, FIGURES[name.value].needs)
            drawn = await asyncio.to_thread(lambda: draw(name.value, made_of).to_json())
            return str(drawn).encode()

        version = (await known.experiment(experiment_id))["version"]
        return answer(request, await cache.get((experiment_id, name.value), version, make))

    @router.get(f"{_PATH}/importance", response_model=Page[Importance], responses=described(404, 503))
    async def importance(request: Request, experiment_id: str) -> Response:
        """How much of the differences between results each hyperparameter explains (fANOVA), the greatest first."""

        async def make() -> bytes:
            made_of = await material(experiment_id, ())
            found = await asyncio.to_thread(importances, made_of)
            return to_json(page(Importance, [{"name": name, "importance": found[name]} for name in found]))

        version = (await known.experiment(experiment_id))["version"]
        return answer(request, await cache.get((experiment_id, "importances"), version, make))

    @router.get(f"{_PATH}/rungs", response_model=Page[Rung], responses=described(404, 503))
    async def list_rungs(request: Request, experiment_id: str) -> Response:
        """The rungs of each bracket: who reached them, the best first, what became of them, and who is on the way."""

        async def make() -> bytes:
            return to_json(page(Rung, rungs(await material(experiment_id, ("curves",)))))

        version = (await known.experiment(experiment_id))["version"]
        return answer(request, await cache.get((experiment_id, "rungs"), version, make))

    @router.get(f"{_PATH}/timeline", response_model=Page[Allocation], responses=described(404, 422, 503))
    async def timeline(
        request: Request, experiment_id: str, limit: Limit = 1000, cursor: Annotated[str, Query(max_length=400)] = ""
    ) -> Response:
        """Which trial ran where and when, in the order in which they began."""
        await known.experiment(experiment_id)
        return answer(request, page(Allocation, *await queries.timeline(experiment_id, limit, cursor)))

    return router
