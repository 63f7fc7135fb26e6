"""Previews: what a search will do, without doing it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from typer.testing import CliRunner

from etude.cli.main import app
from etude_searcher.preview import preview
from etude_searcher.simulate import simulate
from tests.unit.make import config
from tests.unit.searcher.methods.test_halving_properties import searchers, with_longest


def shown(**searcher: Any) -> dict[str, Any]:
    return preview(config(searcher)).to_json()


def test_single() -> None:
    assert shown(name="single") == {"trials": [{"count": 1, "lengths": [400]}], "total_length": 400, "unit": "batches"}


def test_twelve_equal_trials_in_three_rungs() -> None:
    told = shown(name="async_halving", max_length=9000, num_rungs=3, divisor=3, max_trials=12, max_concurrent_trials=1)
    assert told["trials"] == [
        {"count": 1, "lengths": [1000, 3000, 9000]},
        {"count": 3, "lengths": [1000, 3000]},
        {"count": 8, "lengths": [1000]},
    ]
    assert told["total_length"] == 9000 + 3 * 3000 + 8 * 1000


def test_a_budget_of_480() -> None:
    told = shown(name="adaptive", max_length=800, budget=480, mode="aggressive", max_rungs=4)
    assert sum(group["count"] for group in told["trials"]) == 11
    assert told["trials"][0] == {"count": 1, "lengths": [12, 50, 200, 800]}


def test_the_unit_is_that_of_the_search() -> None:
    told = shown(name="adaptive_asha", max_length={"epochs": 64}, max_trials=20)
    assert told["unit"] == "epochs"


def test_brackets_are_told_apart() -> None:
    groups = preview(config({"name": "adaptive_asha", "max_length": 1600, "max_trials": 100})).groups
    assert [sum(g.count for g in groups if g.bracket == n) for n in (1, 2, 3)] == [70, 22, 8]


@settings(max_examples=60)
@given(searchers())
def test_with_constant_metrics_a_search_trains_what_its_preview_says(searcher: dict[str, Any]) -> None:
    made = with_longest(searcher)
    outcome = simulate(made, lambda _, length: ({"loss": 0.0}, float(length)), workers=1_000_000)
    told = preview(made).to_json()
    assert told["total_length"] == outcome.total_length
    assert sum(group["count"] for group in told["trials"]) == len(outcome.targets)


def test_the_command_prints_a_table_or_json(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "entrypoint: m:T\nhyperparameters: {x: {type: double, minval: 0, maxval: 1}}\n"
        "searcher: {name: adaptive_asha, metric: loss, max_length: 1600, max_trials: 100}\n"
    )
    table = CliRunner().invoke(app, ["preview-search", str(file)]).stdout
    assert "adaptive_asha: 100 trials" in table
    assert "25 → 100 → 400 → 1600" in table
    assert "as much as" in table
    told = json.loads(CliRunner().invoke(app, ["preview-search", "--json", str(file)]).stdout)
    assert sum(group["count"] for group in told["trials"]) == 100


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "entrypoint: m:T\nsearcher: {name: grid, metric: l, max_length: 1, sampler: {name: random}}",
            "needs a sampler",
        ),
        ("entrypoint: m:T\nsearcher: {name: single, metric: l, max_length: 0}", "must be at least 1 batches"),
        (
            "entrypoint: m:T\nhyperparameters: {x: {type: int, minval: 1, maxval: 2}}\nconstraints: ['x > 2']\n"
            "searcher: {name: single, metric: l, max_length: 1}",
            "none of 10000 draws satisfies constraints: x > 2",
        ),
    ],
)
def test_a_search_that_cannot_be_says_why(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    done = CliRunner().invoke(app, ["preview-search", str(file)])
    assert done.exit_code == 1
    assert message in done.stderr
