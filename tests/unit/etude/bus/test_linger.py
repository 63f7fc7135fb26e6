"""Who may wait for company, and who may not."""

import asyncio
from typing import Any, cast

import pytest

from etude.bus.amqp import AmqpBus
from etude.bus.amqp.subscription import AmqpSubscription
from etude.bus.topology import EVENTS, Queue


class Message:
    def __init__(self, key: str) -> None:
        self.routing_key = key


async def nothing(batch: Any) -> Any: ...


def subscription(linger: float) -> AmqpSubscription:
    queue = Queue("q", EVENTS, ("#",), linger=linger, urgent=frozenset({"trial.closed"}))
    return AmqpSubscription(AmqpBus("amqp://nowhere/"), queue, nothing)


async def gathered(linger: float, *keys: str, later: str | None = None) -> list[str]:
    """What is handed over of what has arrived, and of what arrives a moment later."""
    arrived: asyncio.Queue[Any] = asyncio.Queue()
    for key in keys:
        arrived.put_nowait(Message(key))
    if later:
        asyncio.get_running_loop().call_later(0.02, arrived.put_nowait, Message(later))
    batch = await subscription(linger)._gather(arrived)
    return [cast(Message, message).routing_key for message in batch]


@pytest.mark.parametrize("linger", [0.0, 0.1])
async def test_what_has_arrived_is_handed_over_together(linger: float) -> None:
    assert await gathered(linger, "a.b.pool.1", "a.c.pool.1") == ["a.b.pool.1", "a.c.pool.1"]


async def test_nobody_waits_unless_the_queue_says_so() -> None:
    assert await gathered(0.0, "a.b.pool.1", later="a.c.pool.1") == ["a.b.pool.1"]


async def test_patient_events_wait_for_others() -> None:
    assert await gathered(0.5, "a.b.pool.1", later="trial.closed.pool.1") == ["a.b.pool.1", "trial.closed.pool.1"]


async def test_an_urgent_event_waits_for_nobody() -> None:
    assert await gathered(0.5, "a.b.pool.1", "trial.closed.pool.1", later="a.c.pool.1") == [
        "a.b.pool.1",
        "trial.closed.pool.1",
    ]
