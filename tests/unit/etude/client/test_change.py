"""Changes as they are typed."""

from typing import Any

import pytest

from etude.client.change import read_changes
from etude.client.errors import ChangeError
from etude.events import Length
from tests.unit.make import raw_config

CONFIG = raw_config({"name": "random", "max_trials": 8, "max_length": {"epochs": 10}})


def test_values_are_set_or_added_to() -> None:
    wish = read_changes(["max_trials=+5", "max_length=+2", "max_concurrent_trials=3"], CONFIG, "ada")
    assert (wish.max_trials, wish.max_length, wish.max_concurrent_trials) == (13, Length(unit="epochs", amount=12), 3)
    assert wish.requested_by == "ada"
    wish = read_changes(["max_trials=9", "weight=2.5", "priority=-1", "labels=a,b"], CONFIG)
    assert (wish.max_trials, wish.weight, wish.priority, wish.labels) == (9, 2.5, -1, ["a", "b"])


def test_ranges_are_set_by_their_path() -> None:
    wish = read_changes(
        ["hyperparameters.net.lr.maxval=-2", "hyperparameters.net.lr.minval=-4.5", "max_trials=9"], CONFIG
    )
    assert wish.hyperparameters == {"net": {"lr": {"maxval": -2, "minval": -4.5}}}
    wish = read_changes(["hyperparameters.act.vals=[relu, gelu]"], CONFIG)
    assert wish.hyperparameters == {"act": {"vals": ["relu", "gelu"]}}


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        ([], "nothing to change"),
        (["max_trials"], "give NAME=VALUE"),
        (["colour=red"], "NAME is one of max_trials, max_length"),
        (["max_trials=many"], "a number is expected, such as 50"),
        (["max_trials=0"], "max_trials: Input should be greater than or equal to 1"),
        (["weight=0"], "weight: Input should be greater than 0"),
    ],
)
def test_what_makes_no_sense_is_told(assignments: list[str], message: str) -> None:
    with pytest.raises(ChangeError, match=message):
        read_changes(assignments, CONFIG)


def test_a_search_without_the_setting_is_named() -> None:
    config: dict[str, Any] = raw_config({"name": "single"})
    with pytest.raises(ChangeError, match="a single search has no max_trials"):
        read_changes(["max_trials=+1"], config)
