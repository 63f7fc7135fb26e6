"""Live changes: more trials, longer ones, more or fewer at a time; and a search that is extended after its end."""

import json
import random
from collections import Counter
from typing import Any

import pytest

from etude.events import (
    Event,
    ExperimentActivated,
    ExperimentChangeRefused,
    ExperimentChangeRequested,
    ExperimentCompleted,
    Length,
    TrialClosed,
    TrialContinued,
    TrialRequested,
)
from etude_searcher.search import Search, State
from tests.unit.make import created, raw_config, validation

HALVING = {"name": "async_halving", "num_rungs": 3, "max_length": 160, "max_trials": 12, "max_concurrent_trials": 1}
GRID = {"name": "random", "max_trials": 3, "sampler": {"name": "grid"}}
ASHA = {"name": "adaptive_asha", "max_length": 160, "max_trials": 12, "max_concurrent_trials": 2}


class Story:
    """A search whose trials are trained one at a time, in the order in which they were asked for."""

    def __init__(self, seed: int = 1, **searcher: Any) -> None:
        self.search = Search(created(raw_config(searcher), seed))
        self.queue: list[tuple[int, int]] = []
        self.work: list[tuple[int, int, str]] = []
        self.number = 0
        self.told: list[Event] = []
        self.hear(self.search.begin().events)

    def hear(self, events: Any) -> None:
        for event in events:
            self.told.append(event)
            if isinstance(event, TrialRequested | TrialContinued):
                self.queue.append((event.trial_id, event.train_until.amount))
                drawn = json.dumps(event.hyperparameters) if isinstance(event, TrialRequested) else ""
                self.work.append((event.trial_id, event.train_until.amount, drawn))

    def ask(self, **wish: Any) -> list[Event]:
        """A person wants something changed."""
        self.number += 1
        decision = self.search.decide(ExperimentChangeRequested(**wish), f"change-{self.number}")
        assert decision is not None
        self.hear(decision.events)
        return list(decision.events)

    def step(self) -> None:
        trial, length = self.queue.pop(0)
        loss = random.Random(trial).random() + 1 / length
        decision = self.search.decide(validation(trial, length, loss=loss))
        assert decision is not None
        self.hear(decision.events)

    def run(self, steps: int = 10_000, crash: bool = False) -> "Story":
        """Train whatever is asked for, perhaps putting the search away after each step."""
        while self.queue and steps:
            steps -= 1
            self.step()
            if crash:
                self.search = Search.restore(json.loads(json.dumps(self.search.snapshot(), allow_nan=False)))
        return self

    def closed(self) -> int:
        return sum(isinstance(event, TrialClosed) for event in self.told)


@pytest.mark.parametrize("searcher", [HALVING, {**ASHA, "bracket_rungs": [3], "max_concurrent_trials": 1}])
def test_a_search_that_is_extended_makes_the_decisions_of_one_long_run(searcher: dict[str, Any]) -> None:
    long = Story(**{**searcher, "max_trials": 60}).run()
    short = Story(**searcher).run()
    for total in (25, 40, 60):
        assert short.search.state is State.COMPLETED
        short.ask(max_trials=total)
        short.run(crash=True)
    assert short.search.state is State.COMPLETED
    assert short.work == long.work
    assert short.search.engine is not None
    assert long.search.engine is not None
    assert short.search.engine.best == long.search.engine.best


@pytest.mark.parametrize("name", ["random", "async_halving", "adaptive_asha"])
def test_a_completed_search_goes_on_and_completes_again(name: str) -> None:
    story = Story(
        **{"random": {"name": "random", "max_trials": 4}, "async_halving": HALVING, "adaptive_asha": ASHA}[name]
    )
    story.run()
    events = story.ask(max_trials=20)
    assert isinstance(events[0], ExperimentActivated)
    assert events[0].config["searcher"]["max_trials"] == 20  # type: ignore[index, call-overload]
    assert story.search.state is State.ACTIVE
    story.run()
    assert story.search.state is State.COMPLETED
    assert story.search.engine is not None
    assert len(story.search.engine.trials) == 20
    assert sum(isinstance(event, ExperimentCompleted) for event in story.told) == 2


def test_a_longer_end_trains_the_finished_further() -> None:
    story = Story(name="random", max_trials=3, max_length=100).run()
    story.ask(max_length=Length.batches(150))
    story.run()
    assert [work[:2] for work in story.work] == [(n, 100) for n in (1, 2, 3)] + [(n, 150) for n in (1, 2, 3)]
    assert story.search.state is State.COMPLETED


def test_a_longer_end_adds_a_rung_to_halving() -> None:
    story = Story(**{**HALVING, "max_trials": 64}).run()
    story.ask(max_length=Length.batches(640))
    story.run()
    assert lengths(story)[640] == lengths(story)[160] // 4
    assert story.search.state is State.COMPLETED


def lengths(story: Story) -> Counter[int]:
    return Counter(length for _, length, _ in story.work)


def test_brackets_share_what_is_new_without_taking_from_anyone() -> None:
    story = Story(name="adaptive_asha", max_length=160, max_trials=24)
    for total in (25, 26, 31):
        story.run()
        story.ask(max_trials=total)
        story.run(crash=True)
        assert story.search.engine is not None
        assert len(story.search.engine.trials) == total


SYNC: list[dict[str, Any]] = [
    {"name": "sync_halving", "num_rungs": 3, "max_trials": 16},
    {"name": "adaptive_simple", "max_trials": 16, "max_rungs": 3},
]


@pytest.mark.parametrize("searcher", SYNC)
def test_an_extended_synchronous_search_trains_all_that_a_larger_one_does(searcher: dict[str, Any]) -> None:
    story = Story(**searcher).run()
    for total in (24, 40, 64):
        assert story.search.state is State.COMPLETED
        story.ask(max_trials=total)
        story.run(crash=True)
    assert story.search.state is State.COMPLETED
    large = Story(**{**searcher, "max_trials": 64}).run()
    assert lengths(story) >= lengths(large), "those that were among the best of fewer have gone on, too"
    assert lengths(story)[25] == lengths(large)[25]


@pytest.mark.parametrize("searcher", [*SYNC, {"name": "adaptive", "budget": 9000}])
def test_a_longer_end_adds_a_rung_to_synchronous_halving(searcher: dict[str, Any]) -> None:
    story = Story(**searcher).run()
    before = lengths(story)
    story.ask(max_length=Length.batches(1600))
    story.run(crash=True)
    after = lengths(story)
    assert story.search.state is State.COMPLETED
    assert after[1600] > 0
    assert after - before == Counter({1600: after[1600]})


def test_more_and_fewer_may_train_at_a_time() -> None:
    story = Story(name="random", max_trials=20, max_concurrent_trials=2)
    assert len(story.queue) == 2
    story.ask(max_concurrent_trials=5)
    assert len(story.queue) == 5
    story.ask(max_concurrent_trials=1)
    story.run(steps=4)
    assert len(story.queue) == 1
    story.run()
    assert story.search.state is State.COMPLETED


def test_fewer_at_a_time_in_halving_let_the_others_finish() -> None:
    story = Story(**{**HALVING, "max_trials": 40, "max_concurrent_trials": 6})
    story.ask(max_concurrent_trials=2)
    story.run(steps=10)
    assert len(story.queue) <= 2
    story.ask(max_concurrent_trials=8)
    assert len(story.queue) == 8


@pytest.mark.parametrize(
    ("searcher", "wish", "reason"),
    [
        ({"name": "single"}, {"max_trials": 3}, "a single search has no max_trials to be changed"),
        ({"name": "random", "max_trials": 4}, {"max_trials": 2}, "max_trials and max_length can only grow"),
        (HALVING, {"max_length": Length.batches(10)}, "do not fit|can only grow"),
        ({"name": "hyperband", "max_length": 9}, {"max_length": Length.batches(81)}, "would have other brackets"),
        (
            {"name": "sync_halving", "num_rungs": 2, "max_trials": 8},
            {"max_trials": 4},
            "can only grow, not shrink to [4, 1]",
        ),
        (
            {"name": "median_stopping", "max_trials": 8},
            {"max_length": Length.batches(900)},
            "max_length stays as it is",
        ),
        (HALVING, {"hyperparameters": {"rate": {"minval": 5}}}, "minval 5.0 is above maxval 0.0"),
        (GRID, {"hyperparameters": {"rate": {"minval": -9}}}, "a grid is what it was when the search began"),
        (HALVING, {"max_length": Length(unit="epochs", amount=500)}, "batches"),
    ],
)
def test_what_cannot_be_changed_is_refused_with_the_reason(
    searcher: dict[str, Any], wish: dict[str, Any], reason: str
) -> None:
    story = Story(**searcher)
    story.run(steps=3)
    before = json.dumps(story.search.snapshot()["engine"])
    refused = next(event for event in story.ask(**wish) if isinstance(event, ExperimentChangeRefused))
    assert any(part in refused.reason for part in reason.split("|"))
    assert json.dumps(story.search.snapshot()["engine"]) == before


@pytest.mark.parametrize(
    "searcher",
    [
        {"name": "sync_halving", "num_rungs": 2, "max_trials": 16},
        {"name": "adaptive_simple", "max_trials": 16, "mode": "aggressive"},
        {"name": "adaptive", "budget": 4000, "mode": "aggressive"},
        {"name": "hyperband", "max_length": 27},
        {"name": "median_stopping", "max_trials": 16},
    ],
)
def test_every_method_can_train_more_at_a_time(searcher: dict[str, Any]) -> None:
    story = Story(**{**searcher, "max_concurrent_trials": 1})
    before = len(story.queue)
    story.ask(max_concurrent_trials=6)
    assert len(story.queue) > before
    story.run()
    assert story.search.state is State.COMPLETED


@pytest.mark.parametrize("sampler", ["random", "sobol", "tpe"])
def test_ranges_are_narrowed_and_what_was_learned_stays(sampler: str) -> None:
    options = {"startup_trials": 5} if sampler == "tpe" else {}
    story = Story(name="random", max_trials=30, max_concurrent_trials=1, sampler={"name": sampler, **options})
    story.run(steps=10)
    story.ask(hyperparameters={"rate": {"minval": -2, "maxval": -1}})
    engine = story.search.engine
    assert engine is not None
    begun = len(engine.trials)
    story.run(crash=True)
    engine = story.search.engine
    assert engine is not None
    rates: list[Any] = [engine.trials[trial].hyperparameters["rate"] for trial in range(begun + 1, 31)]
    assert all(0.01 <= rate <= 0.1 for rate in rates)
    assert len(set(rates)) == len(rates)
    assert engine.config.hyperparameters == story.search.engine.config.hyperparameters  # type: ignore[union-attr]


def test_priority_weight_and_labels_change_the_configuration_alone() -> None:
    story = Story(name="random", max_trials=4)
    [activated, *_] = story.ask(weight=3.0, priority=5, labels=["urgent"])
    assert isinstance(activated, ExperimentActivated)
    assert activated.config["labels"] == ["urgent"]
    assert activated.config["resources"] == {"weight": 3.0, "priority": 5}


def test_a_search_that_did_not_complete_cannot_be_extended() -> None:
    story = Story(name="random", max_trials=2)
    story.search.state = State.CANCELED
    assert story.search.decide(ExperimentChangeRequested(max_trials=5)) is None


def test_changes_are_replayed_from_the_log() -> None:
    story = Story(**HALVING)
    search = Search(story.search.created)
    decisions = [search.begin("c"), *(search.decide(validation(trial, 10, loss=trial)) for trial in (1, 2))]
    decisions.append(search.decide(ExperimentChangeRequested(max_trials=30, max_concurrent_trials=4), "change"))
    again = Search(search.created)
    again.replay([decision for decision in decisions if decision is not None])
    assert again.snapshot() == search.snapshot()
