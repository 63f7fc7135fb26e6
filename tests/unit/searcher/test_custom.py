"""Custom searches: asked one question at a time, answered by events, and safe from nonsense."""

import asyncio
import json
from typing import Any

import pytest

from etude.bus import MemoryBroker, MemoryBus
from etude.bus.topology import custom_searcher, searcher_partition
from etude.events import (
    AskCause,
    Envelope,
    Event,
    ExitReason,
    ExperimentCompleted,
    ExperimentFailed,
    Length,
    SearchAnswered,
    SearchAsked,
    SearchOperation,
    TrialClosed,
    TrialContinued,
    TrialExited,
    TrialPaused,
    TrialRequested,
)
from etude.searcher import close, continue_, create, pause, serve_on
from etude_searcher.search import Decision, Search, State
from tests.unit.make import NOW, created, envelope, raw_config, validation

CUSTOM = {
    "entrypoint": "m:T",
    "hyperparameters": raw_config()["hyperparameters"],
    "searcher": {"name": "custom", "metric": "loss", "method": "mine", "options": {"trials": 2}},
}


class Story:
    """A custom search, and what it told."""

    def __init__(self) -> None:
        self.search = Search(created(CUSTOM))
        self.decisions: list[Decision] = [self.search.begin("c")]

    def hear(self, event: Event) -> list[Event]:
        decision = self.search.decide(event)
        assert decision is not None
        self.decisions.append(decision)
        return list(decision.events)

    def answer(self, *operations: SearchOperation, ask: int | None = None, **fields: Any) -> list[Event]:
        return self.hear(
            SearchAnswered(ask=self.asked().ask if ask is None else ask, operations=list(operations), **fields)
        )

    def asked(self) -> SearchAsked:
        asking = self.search._asking
        assert asking is not None
        assert asking.out is not None
        return asking.out


def of(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_the_method_is_asked_what_to_begin_with() -> None:
    asked = Story().asked()
    assert (asked.ask, asked.method, asked.cause, asked.state) == (0, "mine", AskCause.STARTED, None)
    assert asked.config["searcher"]["options"] == {"trials": 2}  # type: ignore[index, call-overload]


def test_it_creates_continues_pauses_and_closes() -> None:
    story = Story()
    begun = story.answer(create(Length.batches(10), {"rate": 0.5}), create(Length.batches(20)), state={"n": 1})
    first, second = of(begun, TrialRequested)
    assert (first.trial_id, first.hyperparameters, first.train_until.amount) == (1, {"rate": 0.5}, 10)
    assert 1e-4 <= second.hyperparameters["rate"] <= 1
    [asked] = of(story.hear(validation(1, 10, loss=0.3)), SearchAsked)
    assert (asked.cause, asked.trial_id, asked.metrics, asked.state) == (
        "validation-completed",
        1,
        {"loss": 0.3},
        {"n": 1},
    )
    assert of(story.answer(continue_(1, Length.batches(40))), TrialContinued)[0].train_until.amount == 40
    story.hear(validation(2, 20, loss=0.2))
    assert of(story.answer(pause(2)), TrialPaused)[0].trial_id == 2
    story.hear(validation(1, 40, loss=0.1))
    assert of(story.answer(close(1)), TrialClosed)[0].trial_id == 1
    assert story.search.state is State.ACTIVE  # trial 2 rests, and the method has not said that it is over


def test_one_question_at_a_time() -> None:
    story = Story()
    story.answer(create(Length.batches(10)), create(Length.batches(10)))
    assert len(of(story.hear(validation(2, 10)), SearchAsked)) == 1
    assert of(story.hear(validation(1, 10)), SearchAsked) == []
    [asked] = of(story.answer(close(2), state=7), SearchAsked)
    assert (asked.trial_id, asked.state) == (1, 7)


def test_the_end_comes_when_the_method_says_so() -> None:
    story = Story()
    story.answer(create(Length.batches(10)), create(Length.batches(10)))
    story.hear(validation(1, 10, loss=0.4))
    events = story.answer(close(1), finished=True)
    assert [event.trial_id for event in of(events, TrialClosed)] == [1, 2]
    [completed] = of(events, ExperimentCompleted)
    assert completed.best.value == 0.4


def test_failed_trials_and_metrics_that_are_no_numbers_are_told_as_exits() -> None:
    story = Story()
    story.answer(create(Length.batches(10)), create(Length.batches(10)))
    [asked] = of(story.hear(TrialExited(trial_id=1, reason=ExitReason.INVALID_HYPERPARAMETERS)), SearchAsked)
    assert (asked.cause, asked.exit_reason) == (AskCause.TRIAL_EXITED, ExitReason.INVALID_HYPERPARAMETERS)
    story.answer()
    [asked] = of(story.hear(validation(2, 10, loss=float("nan"))), SearchAsked)
    assert (asked.cause, asked.trial_id) == (AskCause.TRIAL_EXITED, 2)


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (close(1), "trial 1 cannot be asked to close; those that wait for an answer are none"),
        (continue_(9, Length.batches(50)), "trial 9 cannot be asked to continue"),
        (create(Length.batches(0)), "create needs a length of at least 1"),
        (create(Length(unit="epochs", amount=1)), "length is in epochs; this search counts batches"),
        (
            SearchOperation(operation="create", trial_id=7, length=Length.batches(1)),
            "the next trial is number 2, not 7",
        ),
    ],
)
def test_nonsense_fails_the_experiment_with_the_reason(operation: SearchOperation, reason: str) -> None:
    story = Story()
    story.answer(create(Length.batches(10)))
    story.hear(TrialExited(trial_id=1, reason=ExitReason.RESTARTS_USED_UP))
    [failed] = of(story.answer(operation), ExperimentFailed)
    assert reason in failed.reason
    assert "question" in failed.reason


def test_a_trial_is_not_continued_to_where_it_is() -> None:
    story = Story()
    story.answer(create(Length.batches(10)))
    story.hear(validation(1, 10))
    [failed] = of(story.answer(continue_(1, Length.batches(10))), ExperimentFailed)
    assert "trial 1 is at 10; continue it to a length above that" in failed.reason


def test_a_method_that_fails_fails_the_experiment() -> None:
    story = Story()
    [failed] = of(story.answer(failed="ValueError: no"), ExperimentFailed)
    assert "ValueError: no" in failed.reason


def test_an_answer_that_comes_twice_or_too_late_is_none() -> None:
    story = Story()
    story.answer(create(Length.batches(10)))
    again = SearchAnswered(ask=0, operations=[create(Length.batches(10))])
    assert story.search.decide(again) is None
    assert story.search.decided(again) == 1
    assert story.search.decide(SearchAnswered(ask=99)) is None


def test_it_is_remembered_by_snapshot_and_by_log() -> None:
    story = Story()
    story.answer(create(Length.batches(10), {"rate": 0.5}), create(Length.batches(10)), state=[1])
    story.hear(validation(2, 10))
    story.hear(validation(1, 10))
    restored = Search.restore(json.loads(json.dumps(story.search.snapshot(), allow_nan=False)))
    replayed = Search(story.search.created)
    replayed.replay(story.decisions)
    assert restored.snapshot() == replayed.snapshot() == story.search.snapshot()
    assert story.asked() in restored.reminders()


class Mine:
    """A method as users write it."""

    def decide(self, asked: SearchAsked) -> SearchAnswered:
        if asked.cause is AskCause.STARTED:
            return SearchAnswered(ask=asked.ask, operations=[create(Length.batches(10))])
        if asked.trial_id == 13:
            raise ValueError("unlucky")
        return SearchAnswered(ask=asked.ask, finished=True)


async def test_a_method_is_served_from_the_broker() -> None:
    broker = MemoryBroker()
    bus = MemoryBus(broker)
    broker.declare(custom_searcher("mine"))
    subscription = await serve_on(bus, "mine", Mine(), lambda: NOW)
    questions = [
        SearchAsked(ask=0, method="mine", cause=AskCause.STARTED, config={}),
        SearchAsked(ask=1, method="another", cause=AskCause.STARTED, config={}),
        SearchAsked(ask=2, method="mine", cause=AskCause.TRIAL_EXITED, config={}, trial_id=13),
    ]
    await bus.publish([envelope(question) for question in questions])
    ready = broker.queues[searcher_partition(11).name].ready
    async with asyncio.timeout(5):
        while len(ready) < 2:
            await asyncio.sleep(0.001)
    answers = [Envelope.parse(message.body).data for message in ready]
    assert [(a.ask, a.failed) for a in answers if isinstance(a, SearchAnswered)] == [
        (0, None),
        (2, "ValueError: unlucky"),
    ]
    await subscription.cancel()
