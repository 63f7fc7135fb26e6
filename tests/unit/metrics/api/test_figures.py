"""Figures over HTTP."""

import pytest
from plotly.io import from_json

from etude.events import AllocationEnded, AllocationStarted, EndReason
from etude.figures import FIGURES
from tests.unit.make import created, validation
from tests.unit.metrics.api.asking import Api, pages, requested


async def search(api: Api) -> None:
    """Six trials on two rungs, of which three reached the upper one."""
    for number in range(1, 7):
        rate = {"rate": number / 10}
        trial = requested(number).model_copy(update={"hyperparameters": rate, "rungs": [100, 400]})
        began = AllocationStarted(runner_id="r", trial_id=number, lease_number=1, slots=["0"])
        ended = AllocationEnded(runner_id="r", trial_id=number, lease_number=1, reason=EndReason.RELEASED)
        await api.tell(created(), trial, began, validation(number, 100, loss=1 / number), ended, seconds=number)
    await api.tell(*(validation(number, 400, loss=0.5 / number) for number in (4, 5, 6)))


@pytest.mark.parametrize("name", FIGURES)
async def test_every_figure_is_told_as_plotly_reads_it(api: Api, name: str) -> None:
    await search(api)
    answer = await api.http.get(f"/api/v1/experiments/exp/figures/{name}")
    assert answer.status_code == 200, answer.text
    assert from_json(answer.text).layout.template is not None


async def test_a_figure_that_nobody_knows_is_refused(api: Api) -> None:
    await search(api)
    assert "'best'" in (await api.get("/experiments/exp/figures/pie", 422))["detail"]
    await api.get("/experiments/nothing/figures/best", 404)


async def test_who_is_on_which_rung(api: Api) -> None:
    await search(api)
    low, high = (await api.get("/experiments/exp/rungs"))["items"]
    assert (low["length"], [t["trial_id"] for t in low["trials"]]) == (100, [6, 5, 4, 3, 2, 1])
    assert (high["length"], [t["trial_id"] for t in high["trials"]]) == (400, [6, 5, 4])


async def test_what_matters(api: Api) -> None:
    await search(api)
    [only] = (await api.get("/experiments/exp/importance"))["items"]
    assert only == {"name": "rate", "importance": pytest.approx(1.0)}


async def test_who_ran_where_and_when(api: Api) -> None:
    await search(api)
    found = await pages(api, "/experiments/exp/timeline", 4)
    assert [[a["trial_id"] for a in page] for page in found] == [[1, 2, 3, 4], [5, 6]]
