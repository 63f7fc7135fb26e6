"""The trials of an experiment in memory."""

import asyncio
from typing import Any

import pytest

from etude_metrics.api.problems import ProblemError
from etude_metrics.api.table import TrialTable
from etude_metrics.views import new_trial


def trial(number: int, version: int, state: str) -> dict[str, Any]:
    return {**new_trial("exp", number), "version": version, "state": state}


def test_what_was_asked_for_earlier_and_comes_later_changes_nothing() -> None:
    table = TrialTable()
    table.take([trial(1, 2, "stopped")], version=2)
    table.take([trial(1, 1, "paused"), trial(2, 1, "running")], version=1)
    assert {number: t["state"] for number, t in table.trials.items()} == {1: "stopped", 2: "running"}
    assert table.version == 2


def reported(number: int, loss: float, **hyperparameters: Any) -> dict[str, Any]:
    return {**trial(number, 1, "running"), "metrics": {"loss": loss}, "hyperparameters": hyperparameters}


async def page(table: TrialTable, where: str = "", sort: str = "trial_id") -> list[int]:
    return [found["trial_id"] for found in (await table.page(sort, where, "", 10, None))[0]]


async def test_hyperparameters_with_dots_and_hyphens_are_found_and_sorted_by() -> None:
    table = TrialTable()
    first = reported(1, 0.5, **{"batch-size": 8, "optimizer.lr": 0.2})
    table.take([first, reported(2, 0.4, **{"batch-size": 4, "optimizer.lr": 0.3})], version=1)
    assert await page(table, "`batch-size` < 8") == [2]
    assert await page(table, "hyperparameters.`batch-size` == 8 and optimizer.lr < 1") == [1]
    assert await page(table, sort="batch-size") == [2, 1]
    assert await page(table, sort="-optimizer.lr") == [2, 1]


async def test_a_name_that_no_trial_has_is_told_instead_of_finding_nothing() -> None:
    table = TrialTable()
    table.take([trial(1, 1, "running")], version=1)
    assert await page(table, "loss < 1") == [], "nobody knows yet"
    table.take([reported(2, 0.5, width=8)], version=2)
    with pytest.raises(ProblemError, match=r"where: no trial has lost; there are: best, .*loss, metrics, .*width"):
        await page(table, "lost < 1")
    assert await page(table, "loss < 0.1 and runner_id == 'x'") == []


async def test_a_list_that_was_being_made_when_a_trial_changed_is_not_kept() -> None:
    table = TrialTable()
    table.take([reported(1, 0.5), reported(2, 0.9)], version=1)
    making = asyncio.create_task(page(table, "loss < 0.7"))
    await asyncio.sleep(0)
    table.take([{**reported(2, 0.6), "version": 2}], version=2)
    assert await making == [1]
    assert await page(table, "loss < 0.7") == [1, 2]
