"""First come, first served: who gets which slots."""

from etude.events import RunnerJoined, Slot
from etude_scheduler.execution import Execution
from etude_scheduler.fleet import Fleet
from etude_scheduler.policies import first_come
from etude_scheduler.share import Share
from tests.unit.make import NOW


def fleet(**slots: int) -> Fleet:
    made = Fleet("default")
    for runner_id, count in slots.items():
        made.seen(RunnerJoined(runner_id=runner_id, session="1", slots=[Slot(id=str(n)) for n in range(count)]), NOW)
    return made


def waiting(trial_id: int, slots: float = 1, at: str = "2026", experiment_id: str = "exp") -> Execution:
    return Execution(experiment_id, trial_id, "default", requested=True, requested_at=at, slots=slots, target=1)


def placed(trials: list[Execution], runners: Fleet, max_slots: int | None = None, held: int = 0) -> dict[int, str]:
    config = {"resources": {"max_slots": max_slots}}
    shares = {name: Share(name, "default", config=config) for name in ("exp", "other")}
    return {
        p.execution.trial_id: f"{p.runner_id}:{','.join(p.slots)}"
        for p in first_come(trials, runners, shares, {"exp": held})
    }


def test_the_longest_waiting_goes_first() -> None:
    assert placed([waiting(1, at="2026-02"), waiting(2, at="2026-01")], fleet(a=1)) == {2: "a:0"}


def test_a_trial_goes_where_it_fits_best() -> None:
    assert placed([waiting(1)], fleet(a=4, b=1)) == {1: "b:0"}
    assert placed([waiting(1, slots=2)], fleet(a=4, b=1)) == {1: "a:0,1"}


def test_a_trial_never_spans_two_runners() -> None:
    assert placed([waiting(1, slots=2)], fleet(a=1, b=1)) == {}


def test_a_trial_that_does_not_fit_holds_nobody_up() -> None:
    assert placed([waiting(1, slots=8), waiting(2)], fleet(a=1)) == {2: "a:0"}


def test_an_experiment_takes_no_more_than_its_max_slots() -> None:
    trials = [waiting(n) for n in (1, 2, 3)]
    assert placed(trials, fleet(a=4), max_slots=2) == {1: "a:0", 2: "a:1"}
    assert placed(trials, fleet(a=4), max_slots=2, held=2) == {}


def test_a_limit_of_one_experiment_leaves_slots_to_others() -> None:
    trials = [waiting(1), waiting(2), waiting(3, experiment_id="other")]
    assert placed(trials, fleet(a=4), max_slots=1) == {1: "a:0", 3: "a:1"}


def test_zero_slots_take_none_and_a_share_takes_a_whole_one() -> None:
    assert placed([waiting(1, slots=0), waiting(2, slots=0.5)], fleet(a=1)) == {1: "a:", 2: "a:0"}


def test_runners_that_drain_or_are_gone_take_nothing() -> None:
    runners = fleet(a=1, b=1)
    runners.runners["a"].draining = True
    runners.runners["b"].gone = True
    assert placed([waiting(1)], runners) == {}
