"""Where a trial fits."""

import pytest

from etude_scheduler.need import Need
from tests.unit.scheduler.fleets import House, member


def test_a_trial_goes_where_it_fits_best() -> None:
    fleet = House(a=4, b=1).fleet
    assert fleet.fit(Need(1), {}) == [member("b", "0")]
    assert fleet.fit(Need(2), {}) == [member("a", "0", "1")]


def test_a_trial_spans_runners_only_if_none_has_so_many_slots() -> None:
    house = House(a=2, b=2)
    assert house.fleet.fit(Need(3), {}) == [member("a", "0", "1"), member("b", "0")]
    house.claim("x", 3)
    house.place()
    assert house.fleet.fit(Need(2), {}) is None, "one free slot on each, but a runner could hold it whole"


def test_a_gang_is_placed_whole_or_not_at_all() -> None:
    house = House(a=2, b=2)
    house.claim("x", 2)
    house.place()
    assert house.fleet.fit(Need(4), {}) is None


def test_parts_of_a_slot_share_the_fullest_that_has_room() -> None:
    house = House(a=2)
    house.claim("x", 5, slots=0.4)
    assert house.place() == ["x1@a:0", "x2@a:0", "x3@a:1", "x4@a:1"]
    house.end("x2", "x3", "x4")
    assert house.fleet.fit(Need(1), {}) == [member("a", "1")]
    assert house.fleet.fit(Need(0.5), {}) == [member("a", "0")]


def test_trials_without_a_slot_are_limited_by_cores() -> None:
    house = House()
    house.join("a", slots=1, cores=2)
    house.claim("x", 3, slots=0)
    assert house.place() == ["x1@a:", "x2@a:"]
    assert house.fleet.fit(Need(1), {}) == [member("a", "0")]


def test_labels_choose_runners() -> None:
    house = House(a=1)
    house.join("b", 1, ["a100", "nvlink"])
    assert house.fleet.fit(Need(1, frozenset(["a100"])), {}) == [member("b", "0")]
    assert house.fleet.fit(Need(1, frozenset(["h100"])), {}) is None


@pytest.mark.parametrize(("name", "value"), [("draining", True), ("gone", True), ("refusing", "x"), ("disabled", "x")])
def test_a_runner_that_is_not_ready_takes_nothing(name: str, value: object) -> None:
    fleet = House(a=1).fleet
    setattr(fleet.runners["a"], name, value)
    assert fleet.fit(Need(1), {}) is None


def test_kept_slots_are_for_somebody_else() -> None:
    fleet = House(a=4).fleet
    assert fleet.fit(Need(2), {"a": 3}) is None
    assert fleet.fit(Need(1), {"a": 3}) == [member("a", "0")]
    assert fleet.fit(Need(0.5), {"a": 4}) is None


def test_why_a_trial_fits_nowhere() -> None:
    house = House(a=2)
    assert House().fleet.why_not(Need(1)) == "no runner is there; start one"
    assert house.fleet.why_not(Need(1, frozenset(["h100"]))) == "no runner has the labels h100"
    assert "all 1 runners together have fewer" in house.fleet.why_not(Need(4))
    house.fleet.runners["a"].refusing = "the disk is full"
    assert "a is refusing: the disk is full" in house.fleet.why_not(Need(1))
