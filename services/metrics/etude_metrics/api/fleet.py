"""Questions about pools and runners."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from etude_metrics.api.answers import answer, page
from etude_metrics.api.models import Allocation, Page, Pool, RunnerLine
from etude_metrics.api.parameters import Cursor, Limit
from etude_metrics.api.problems import described
from etude_metrics.api.queries import Queries


def fleet(queries: Queries) -> APIRouter:
    """``/pools`` and ``/runners``."""
    router = APIRouter(tags=["fleet"])

    @router.get("/pools", response_model=Page[Pool], responses=described(503))
    async def pools(request: Request) -> Response:
        """Resource pools: their runners, and what each experiment holds of them."""
        return answer(request, page(Pool, await queries.pools()))

    @router.get("/runners/{runner_id}/logs", response_model=Page[RunnerLine], responses=described(422, 503))
    async def runner_logs(request: Request, runner_id: str, limit: Limit = 1000, cursor: Cursor = None) -> Response:
        """What a runner logged of itself, the latest of it, in order; nothing if it is not known."""
        return answer(request, page(RunnerLine, *await queries.runner_log(runner_id, limit, cursor)))

    @router.get("/runners/{runner_id}/allocations", response_model=Page[Allocation], responses=described(422, 503))
    async def runner_allocations(
        request: Request, runner_id: str, limit: Limit = 100, cursor: Annotated[str, Query(max_length=400)] = ""
    ) -> Response:
        """What ran on a runner, the latest first."""
        return answer(request, page(Allocation, *await queries.runner_allocations(runner_id, limit, cursor)))

    return router
