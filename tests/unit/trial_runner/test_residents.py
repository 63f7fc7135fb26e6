"""Paused trials that rest in memory."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from etude.events import CheckpointReference, Gang
from etude_trial_runner.residents import Resident, Residents
from tests.unit.make import assignment
from tests.unit.trial_runner.doubles import ScriptedProcess, granted

CHECKPOINT = CheckpointReference(uri="file:///c", length=100)


def process() -> ScriptedProcess:
    return ScriptedProcess(assignment(), lambda _: None, lambda *_: None)


def resident(trial_id: int = 1, promise: tuple[float, ...] = (100, 0), **fields: Any) -> Resident:
    common: dict[str, Any] = {"checkpoint": CHECKPOINT.uri, "slots": ["0"], "kind": "cpu", "temporary": ""}
    return Resident(("exp", trial_id), 1, process(), promise=promise, **{**common, **fields})


def residents(budget: int = 250) -> Residents:
    return Residents(budget, measure=lambda _: 100)


async def test_those_that_exceed_the_budget_go_the_least_promising_first() -> None:
    rest = residents()
    short, poor, good = resident(1, (10, 9.0)), resident(2, (100, 1.0)), resident(3, (100, 2.0))
    for one in (poor, short, good):
        await rest.add(one)
    assert len(rest) == 2
    assert short.process.killed  # type: ignore[attr-defined]
    await rest.add(resident(4, (400, 0.0)))
    assert rest.take(("exp", 2)) is None
    assert rest.take(("exp", 3)) is good
    assert good.process.suspended  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("fields", "grant", "fits"),
    [
        ({}, {}, True),
        ({"checkpoint": "file:///older"}, {}, False),
        ({}, {"slots": ["1"]}, True),
        ({"kind": "cuda"}, {"slots": ["1"]}, False),
        ({"kind": "cuda"}, {}, True),
        ({}, {"checkpoint": None}, False),
        ({}, {"gang": Gang(size=2, first_rank=0)}, False),
    ],
)
async def test_a_trial_goes_on_from_memory_only_where_it_stopped(
    fields: dict[str, Any], grant: dict[str, Any], fits: bool
) -> None:
    assert resident(**fields).fits(granted(1, 2, **{"checkpoint": CHECKPOINT, **grant})) is fits


async def test_a_process_that_died_meanwhile_fits_nothing() -> None:
    one = resident()
    one.process.kill()
    assert not one.fits(granted(1, 2, checkpoint=CHECKPOINT))


async def test_who_is_dropped_leaves_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    rest = residents()
    await rest.add(resident(temporary=str(folder)))
    rest.drop(("exp", 1), lease_number=2)
    assert len(rest) == 1, "another lease of it is not here"
    rest.drop(("exp", 1), lease_number=1)
    async with asyncio.timeout(5):
        while folder.exists():
            await asyncio.sleep(0.005)
