"""What becomes of each message of a batch."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from etude.bus.delivery import Refusals, deliver
from etude.errors import Unacceptable, Unavailable
from etude.events import Envelope, EventError
from tests.unit.make import envelope, validation


def message(trial_id: int) -> tuple[int, bytes]:
    return trial_id, envelope(validation(trial_id, 1)).to_bytes()


def trials(batch: Sequence[Envelope]) -> list[int]:
    return [e.data.trial_id for e in batch]  # type: ignore[attr-defined]


class Handler:
    """Fails for some trials."""

    def __init__(self, failures: dict[int, Exception] | None = None) -> None:
        self.failures = failures or {}
        self.batches: list[list[int]] = []

    async def __call__(self, batch: Sequence[Envelope]) -> None:
        self.batches.append(trials(batch))
        for trial in trials(batch):
            if trial in self.failures:
                raise self.failures[trial]


async def test_a_batch_that_is_handled_is_done() -> None:
    handler = Handler()
    outcome = await deliver([message(1), message(2)], handler, Refusals())
    assert (outcome.done, outcome.back, outcome.dead) == ([1, 2], [], [])
    assert handler.batches == [[1, 2]]


@pytest.mark.parametrize("body", [b"", b"{}", b"null", json.dumps({"type": "no.such.type"}).encode()])
async def test_what_cannot_be_read_is_dead_and_the_rest_is_done(body: bytes) -> None:
    outcome = await deliver([(0, body), message(1)], Handler(), Refusals())
    assert outcome.done == [1]
    [(number, reason)] = outcome.dead
    assert number == 0
    assert reason.startswith("not an etude event")


async def test_after_a_failure_each_event_is_tried_alone() -> None:
    handler = Handler({2: RuntimeError("no")})
    outcome = await deliver([message(1), message(2), message(3)], handler, Refusals())
    assert (outcome.done, outcome.back) == ([1, 3], [2])
    assert handler.batches == [[1, 2, 3], [1], [2], [3]]


@pytest.mark.parametrize("error", [EventError("unknown"), Unacceptable("too large")])
async def test_what_can_never_be_handled_is_dead_with_the_reason(error: Exception) -> None:
    outcome = await deliver([message(1), message(2)], Handler({2: error}), Refusals())
    assert (outcome.done, outcome.back, outcome.dead) == ([1], [], [(2, str(error))])


async def test_what_fails_too_often_is_dead_with_the_last_failure() -> None:
    refusals = Refusals(limit=3)
    handler, refused = Handler({2: RuntimeError("no")}), [message(2)]
    for _ in range(2):
        outcome = await deliver(refused, handler, refusals)
        assert (outcome.back, outcome.dead) == ([2], [])
    outcome = await deliver(refused, handler, refusals)
    assert (outcome.back, outcome.dead) == ([], [(2, "its handler failed too often, last with RuntimeError('no')")])


async def test_what_is_handled_in_the_end_was_never_refused() -> None:
    refusals = Refusals(limit=2)
    flaky, messages = Handler(), [message(1), message(2)]
    for _ in range(5):
        flaky.failures = {2: RuntimeError("no")}
        assert (await deliver(messages, flaky, refusals)).back == [2]
        flaky.failures = {}
        assert (await deliver(messages[1:], flaky, refusals)).done == [2]


async def test_a_batch_waits_for_a_server_that_is_away() -> None:
    calls = 0

    async def handler(batch: Sequence[Envelope]) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise Unavailable("no database")

    outcome = await asyncio.wait_for(deliver([message(1)], handler, Refusals(), retry_delay=0.001), 5)
    assert (outcome.done, calls) == ([1], 3)
