"""Who is placed, who makes room, and for whom slots are kept."""

import pytest

from etude_scheduler.policies import Policy, named
from etude_scheduler.policies.fair_share import FairShare
from etude_scheduler.policies.first_come import FirstCome
from etude_scheduler.policies.policy import UnknownPolicyError
from etude_scheduler.policies.priority import Priority
from etude_scheduler.policies.round_robin import RoundRobin
from tests.unit.scheduler.fleets import House


def who(placed: list[str]) -> str:
    return "".join(name[0] for name in placed)


def test_within_an_experiment_who_was_requested_first_goes_first() -> None:
    house = House(a=2)
    claim = house.claim("x", 3)
    claim.first.requested_at = "9"
    assert [name.split("@")[0] for name in house.place()] == ["x1", "x2"]


@pytest.mark.parametrize("policy", [FairShare(), RoundRobin(), Priority()])
def test_equal_experiments_share_evenly(policy: Policy) -> None:
    house = House(policy, a=6)
    for name in "xyz":
        house.claim(name, 6)
    assert sorted(who(house.place())) == list("xxyyzz")


def test_weights_share_slots() -> None:
    house = House(FairShare(), a=8)
    house.claim("x", 20, weight=3)
    house.claim("y", 20, weight=1)
    assert who(house.place()).count("x") == 6


def test_a_large_trial_counts_for_its_slots() -> None:
    house = House(FairShare(), a=8)
    house.claim("x", 20, slots=4)
    house.claim("y", 20)
    assert sorted(who(house.place())) == list("xyyyy")


def test_the_more_important_goes_first() -> None:
    house = House(Priority(), a=3)
    house.claim("x", 4, priority=50)
    house.claim("y", 2, priority=1)
    assert who(house.place()) == "yyx"


def test_first_come_first_served() -> None:
    house = House(FirstCome(), a=3)
    house.claim("x", 1)
    house.claim("y", 4)
    house.claims["y"].first.requested_at = "00000"
    assert who(house.place()) == "yxy"


def test_an_experiment_takes_no_more_than_its_max_slots() -> None:
    house = House(a=4)
    house.claim("x", 4, max_slots=1)
    house.claim("y", 1)
    assert sorted(who(house.place())) == ["x", "y"]
    house.end("x1")
    assert who(house.place()) == "x"


def test_a_trial_that_does_not_fit_holds_nobody_up() -> None:
    house = House(a=2)
    house.claim("x", 1, slots=8)
    house.claim("y", 1)
    assert who(house.place()) == "y"


def test_slots_are_kept_for_a_trial_that_has_waited_long() -> None:
    house = House(FirstCome(), a=4, b=2)
    house.claim("y", 9)
    house.place()
    house.claim("x", 1, slots=4)
    house.end("y1", "y2", "y3")  # on b, b and a: y4 to y6 run on
    assert len(house.place(after=30)) == 3, "backfill: y7 to y9"
    house.claim("z", 9)
    house.end("y4", "y5", "y8")
    assert [name.split("@")[1][0] for name in house.place(after=90)] == ["b"], "those on a are kept"
    house.end("y6", "y7", "y9", "y3")
    assert "x1@a:0,1,2,3" in house.place(after=91)


def test_fair_share_takes_from_those_that_hold_more_than_their_share() -> None:
    house = House(FairShare(), a=4)
    house.claim("x", 8)
    house.place()
    house.claim("y", 8)
    assert house.victims(after=5) == [], "not at once"
    assert house.victims() == ["x3", "x4"]
    house.end("x3", "x4")
    assert who(house.place()) == "yy"
    assert house.victims() == [], "and none takes back"


def test_who_leaves_already_makes_room_enough() -> None:
    house = House(FairShare(), a=4)
    house.claim("x", 8)
    house.place()
    for execution in house.running[2:]:
        assert execution.allocation
        execution.allocation.taken_back = "revoked"
    house.claim("y", 8)
    assert house.victims() == []


def test_priority_takes_from_the_less_important_as_many_as_it_needs() -> None:
    house = House(Priority(), a=2, b=2)
    house.claim("x", 4, priority=90)
    house.place()
    house.claim("y", 1, slots=2, priority=10)
    assert house.victims() in (["x1", "x2"], ["x3", "x4"])
    house.claim("z", 3, priority=90)
    assert len(house.victims()) == 2, "equals take nothing from each other"


@pytest.mark.parametrize("policy", [FirstCome(), RoundRobin()])
def test_other_policies_preempt_nobody(policy: Policy) -> None:
    house = House(policy, a=2)
    house.claim("x", 4)
    house.place()
    house.claim("y", 4)
    assert house.victims() == []


def test_policies_are_found_by_name() -> None:
    assert isinstance(named("priority"), Priority)
    with pytest.raises(UnknownPolicyError, match="fair_share, first_come, priority, round_robin"):
        named("best")
