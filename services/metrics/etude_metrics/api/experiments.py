"""Questions about experiments."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from etude_metrics.api.answers import answer, page, told
from etude_metrics.api.kept import Kept
from etude_metrics.api.known import Known
from etude_metrics.api.models import Curve, Decision, Experiment, ExperimentInFull, Page, TrialLine, Validation
from etude_metrics.api.parameters import Cursor, Limit, MaxPoints, Number, TrialNumber
from etude_metrics.api.problems import described
from etude_metrics.api.queries import EXPERIMENT_SORTS, Queries
from etude_metrics.masking import masked
from etude_metrics.sampling import downsample

_PATH = "/experiments/{experiment_id}"
_Sort = Annotated[str, Query(pattern=f"^-?({'|'.join(EXPERIMENT_SORTS)})$", description="With `-`, the largest first.")]


def experiments(queries: Queries, known: Known, kept: Kept) -> APIRouter:
    """``/experiments`` and what is below one, but for its trials."""
    router = APIRouter(tags=["experiments"])

    @router.get("/experiments", response_model=Page[Experiment], responses=described(422, 503))
    async def list_experiments(
        request: Request,
        limit: Limit = 100,
        cursor: Cursor = None,
        state: Annotated[str | None, Query(description="Only those in this state.")] = None,
        label: Annotated[str | None, Query(description="Only those with this label.")] = None,
        owner: Annotated[str | None, Query(description="Only those of this person.")] = None,
        text: Annotated[str | None, Query(max_length=200, description="Only those whose name or id has this.")] = None,
        archived: Annotated[bool, Query(description="Those that were archived, not the others.")] = False,
        sort: _Sort = "-created_at",
    ) -> Response:
        """Experiments, the latest first unless `sort` says otherwise."""
        where = {"state": state, "label": label, "owner": owner, "text": text, "archived": archived}

        async def make() -> Any:
            return page(Experiment, *await queries.experiments(where, sort, limit, cursor))

        return await kept.answer(request, await queries.experiments_version(), make)

    @router.get(_PATH, response_model=ExperimentInFull, responses=described(404, 503))
    async def experiment(request: Request, experiment_id: str) -> Response:
        """One experiment."""
        found, table = await known.trials(experiment_id)
        return answer(request, told(ExperimentInFull, {**masked(found), "trial_states": table.states}))

    @router.get(f"{_PATH}/validations", response_model=Page[Validation], responses=described(404, 422, 503))
    async def validations(
        request: Request, experiment_id: str, limit: Limit = 100, cursor: Number = None, trial_id: TrialNumber = None
    ) -> Response:
        """Validations, in the order in which they came."""

        async def make() -> Any:
            return page(Validation, *await queries.validations(experiment_id, trial_id, False, limit, cursor))

        return await kept.answer(request, (await known.experiment(experiment_id))["version"], make)

    @router.get(f"{_PATH}/best-validations", response_model=Page[Validation], responses=described(404, 422, 503))
    async def best_validations(
        request: Request, experiment_id: str, limit: Limit = 100, cursor: Number = None
    ) -> Response:
        """The best validation over time: each that was better than all before it."""

        async def make() -> Any:
            return page(Validation, *await queries.validations(experiment_id, None, True, limit, cursor))

        return await kept.answer(request, (await known.experiment(experiment_id))["version"], make)

    @router.get(f"{_PATH}/learning-curves", response_model=Page[Curve], responses=described(404, 422, 503))
    async def learning_curves(
        request: Request,
        experiment_id: str,
        limit: Limit = 100,
        cursor: Number = None,
        metric: Annotated[str | None, Query(description="The searcher's, unless another is named.")] = None,
        max_points: MaxPoints = 1000,
    ) -> Response:
        """A metric of validations over length, for trials by number."""
        experiment = await known.experiment(experiment_id)

        async def make() -> Any:
            found, after = await queries.curves(experiment_id, metric or experiment["metric"] or "", limit, cursor)
            return page(Curve, [_sampled(curve, max_points) for curve in found], after)

        return await kept.answer(request, experiment["version"], make)

    @router.get(f"{_PATH}/logs", response_model=Page[TrialLine], responses=described(404, 422, 503))
    async def logs(
        request: Request,
        experiment_id: str,
        limit: Limit = 1000,
        cursor: Cursor = None,
        since: Annotated[datetime | None, Query(description="Only batches that begin then or later.")] = None,
        latest: Annotated[bool, Query(description="The last lines, and no others.")] = False,
    ) -> Response:
        """What all of its trials wrote, in the order in which it came; each trial's own lines are in its own order."""
        await known.experiment(experiment_id)

        async def make() -> Any:
            if latest:
                return page(TrialLine, await queries.latest_logs(experiment_id, limit))
            begin = cursor or (since.astimezone(UTC).isoformat() if since else None)
            return page(TrialLine, *await queries.experiment_logs(experiment_id, limit, begin))

        return await kept.recent(request, make)

    @router.get(f"{_PATH}/decisions", response_model=Page[Decision], responses=described(404, 422, 503))
    async def decisions(
        request: Request,
        experiment_id: str,
        limit: Limit = 100,
        cursor: Number = None,
        trial_id: TrialNumber = None,
    ) -> Response:
        """The search log: every decision, in order, and why it was made."""

        async def make() -> Any:
            return page(Decision, *await queries.decisions(experiment_id, trial_id, limit, cursor))

        return await kept.answer(request, (await known.experiment(experiment_id))["version"], make)

    return router


def _sampled(curve: dict[str, Any], max_points: int) -> dict[str, Any]:
    lengths, values = downsample(curve["lengths"], curve["values"], max_points)
    return {**curve, "lengths": lengths, "values": values}
