"""Trials that were given up and are tried again: the search goes on as if they had never failed."""

import json
from typing import Any

import pytest

from etude.events import (
    Event,
    ExitReason,
    ExperimentActivated,
    ExperimentActivateRequested,
    ExperimentCancelRequested,
    ExperimentChangeRefused,
    ExperimentPauseRequested,
    ExperimentRetryRequested,
    TrialClosed,
    TrialContinued,
    TrialExited,
    TrialRequested,
)
from etude_searcher.search import Search, State
from tests.unit.make import created, raw_config, validation

SEARCHES: dict[str, dict[str, Any]] = {
    "random": {"name": "random", "max_trials": 12, "max_concurrent_trials": 3},
    "promotion": {"name": "async_halving", "num_rungs": 3, "max_trials": 12, "max_concurrent_trials": 3},
    "stopping": {"name": "async_halving", "num_rungs": 3, "max_trials": 12, "stop_once": True},
    "synchronous": {"name": "sync_halving", "num_rungs": 3, "max_trials": 12, "max_concurrent_trials": 4},
    "brackets": {"name": "adaptive_asha", "max_trials": 12, "max_concurrent_trials": 3},
    "median": {"name": "median_stopping", "max_trials": 12, "max_concurrent_trials": 3},
}


class Story:
    """A search of which some trials fail, until they are healed. The lower a trial's number, the better it is."""

    def __init__(self, sick: set[int], **searcher: Any) -> None:
        raw = raw_config(searcher)
        if searcher["name"] == "pbt":
            del raw["searcher"]["max_length"]
        self.search = Search(created(raw))
        self.sick = sick
        self.attempts: dict[int, int] = {}
        self.queue: list[tuple[int, int]] = []
        self.number = 0
        self.hear(self.search.begin().events)

    def hear(self, events: Any) -> None:
        for event in events:
            if isinstance(event, TrialRequested):
                self.attempts[event.trial_id] = event.attempt
            if isinstance(event, TrialRequested | TrialContinued):
                self.queue.append((event.trial_id, event.train_until.amount))

    def tell(self, event: Event) -> list[Event]:
        self.number += 1
        decision = self.search.decide(event, f"{self.number}")
        events = list(decision.events) if decision else []
        self.hear(events)
        return events

    def run(self) -> "Story":
        """Train whatever is asked for, putting the search away after each step."""
        while self.queue:
            trial, length = self.queue.pop(0)
            if trial in self.sick:
                self.tell(exited(trial, self.attempts[trial]))
            else:
                self.tell(validation(trial, length, loss=trial + 1 / length))
            self.search = Search.restore(json.loads(json.dumps(self.search.snapshot(), allow_nan=False)))
        return self

    def retry(self, *trials: int) -> list[Event]:
        self.sick = set()
        return self.tell(ExperimentRetryRequested(trial_ids=list(trials), requested_by="person"))

    @property
    def best(self) -> int | None:
        best = self.search.engine.best if self.search.engine else None
        return best.trial_id if best else None


def exited(trial: int, attempt: int = 1, reason: ExitReason = ExitReason.RESTARTS_USED_UP) -> TrialExited:
    return TrialExited(trial_id=trial, reason=reason, attempt=attempt)


def refused(events: list[Event]) -> str:
    [event] = events
    assert isinstance(event, ExperimentChangeRefused)
    return event.reason


@pytest.mark.parametrize("name", sorted(SEARCHES))
@pytest.mark.parametrize("sick", [{1}, {1, 2, 5}, set(range(1, 13))], ids=["one", "some", "all"])
def test_a_search_that_is_over_goes_on_with_what_had_failed(name: str, sick: set[int]) -> None:
    story = Story(sick, **SEARCHES[name]).run()
    assert story.search.state is (State.FAILED if len(sick) == 12 else State.COMPLETED)
    assert story.best != 1
    told = story.retry()
    assert isinstance(told[0], ExperimentActivated)
    story.run()
    assert story.search.state is State.COMPLETED
    assert story.best == 1
    assert story.search.engine is not None
    assert len(story.search.engine.trials) == 12
    assert {trial for trial, attempt in story.attempts.items() if attempt == 2} == sick
    assert not any(trial.open or trial.given_up for trial in story.search.engine.trials.values())


@pytest.mark.parametrize("name", sorted(SEARCHES))
def test_no_more_train_at_a_time_than_may(name: str) -> None:
    story = Story(set(range(1, 13)), **{**SEARCHES[name], "max_concurrent_trials": 3}).run()
    story.retry()
    assert len(story.queue) == 3


@pytest.mark.parametrize("name", sorted(SEARCHES))
def test_while_a_search_runs_a_trial_is_tried_again_in_its_turn(name: str) -> None:
    story = Story({1}, **{**SEARCHES[name], "max_concurrent_trials": 2})
    story.queue.remove(next(work for work in story.queue if work[0] == 1))
    story.tell(exited(1))
    assert story.search.state is State.ACTIVE
    story.retry(1)
    story.run()
    assert story.search.state is State.COMPLETED
    assert (story.best, story.attempts[1]) == (1, 2)


def test_it_may_fail_again_and_be_tried_again() -> None:
    story = Story({2}, **SEARCHES["promotion"]).run()
    for attempt in (2, 3):
        story.tell(ExperimentRetryRequested(trial_ids=[2]))
        story.run()
        assert (story.search.state, story.attempts[2]) == (State.COMPLETED, attempt)


@pytest.mark.parametrize("name", sorted(SEARCHES))
def test_one_that_waits_for_its_turn_is_not_taken_back_twice(name: str) -> None:
    story = Story({1}, **{**SEARCHES[name], "max_concurrent_trials": 2})
    story.queue.remove(next(work for work in story.queue if work[0] == 1))
    story.tell(exited(1))
    story.tell(ExperimentRetryRequested())
    assert "cannot retry any trial" in refused(story.tell(ExperimentRetryRequested()))
    story.sick = set()
    assert story.run().search.state is State.COMPLETED


def test_that_an_attempt_before_ended_is_no_news() -> None:
    story = Story({2}, **SEARCHES["random"]).run()
    story.retry(2)
    first = exited(2, attempt=1)
    assert story.search.decided(first) is not None
    assert story.tell(first) == []
    assert story.search.decided(exited(2, attempt=2)) is None


def test_what_closes_a_trial_names_the_attempt() -> None:
    story = Story({2}, **SEARCHES["random"]).run()
    story.retry(2)
    [work] = story.queue
    closed = [event for event in story.tell(validation(*work)) if isinstance(event, TrialClosed)]
    assert [(event.trial_id, event.attempt) for event in closed] == [(2, 2)]


def test_a_paused_search_tries_again_when_it_goes_on() -> None:
    story = Story({2}, **SEARCHES["random"])
    story.tell(exited(2))
    story.tell(ExperimentPauseRequested())
    assert not any(isinstance(event, ExperimentActivated) for event in story.retry())
    assert story.search.state is State.PAUSED
    story.tell(ExperimentActivateRequested())
    assert story.run().search.state is State.COMPLETED


def test_why_a_retry_is_refused_is_said() -> None:
    story = Story({2}, **SEARCHES["random"]).run()
    assert refused(story.retry(3, 4)) == "cannot retry trial 3, 4: not given up after its restarts"
    healthy = Story(set(), **SEARCHES["random"]).run()
    assert "cannot retry any trial" in refused(healthy.retry())
    canceled = Story({2}, **SEARCHES["random"])
    canceled.tell(exited(2))
    canceled.tell(ExperimentCancelRequested())
    assert "was canceled" in refused(canceled.retry())
    bred = Story({2}, name="pbt", population_size=4, num_rounds=2, length_per_round={"batches": 10}).run()
    assert "create a new experiment" in refused(bred.retry())


def test_hyperparameters_that_make_no_sense_are_not_tried_again() -> None:
    story = Story(set(), **SEARCHES["promotion"])
    story.queue.remove(next(work for work in story.queue if work[0] == 2))
    story.tell(exited(2, reason=ExitReason.INVALID_HYPERPARAMETERS))
    assert "cannot retry trial 2" in refused(story.retry(2))
