"""``python -m etude_scheduler``: the scheduler of one resource pool as a process."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Annotated

import structlog
from pydantic import Field

from etude.bus.amqp import AmqpBus
from etude.service.clock import utc_now
from etude.service.logs import log_as_json
from etude.service.runtime import run, until_available
from etude.service.settings import Settings, from_environment
from etude.store.mongo import MongoStore
from etude_scheduler.policies import named
from etude_scheduler.scheduler import Timing
from etude_scheduler.service import SchedulerService

log = structlog.get_logger("etude.scheduler")


class SchedulerSettings(Settings):
    """What the scheduler is told besides."""

    runner_timeout: Annotated[float, Field(gt=0)] = 30.0
    """Seconds of silence after which a runner is lost."""
    policy: str = "fair_share"
    """Who is served next: fair_share, priority, first_come, round_robin, or one that is installed."""
    preempt_seconds: Annotated[float, Field(ge=0)] = 10.0
    """How long an experiment waits before trials of others are preempted for it."""
    keep_seconds: Annotated[float, Field(ge=0)] = 60.0
    """How long a trial of several slots waits before slots that come free are kept for it."""


async def main(stop: asyncio.Event) -> None:
    """Serve until told to stop."""
    settings = from_environment(SchedulerSettings)
    log_as_json("scheduler", settings.log_level)
    policy = named(settings.policy)
    store = MongoStore(settings.mongo_url, settings.database)
    bus = AmqpBus(settings.amqp_url, name=f"scheduler/{settings.pool}", pools=(settings.pool,))
    if await until_available("MongoDB", store.open, stop):
        timing = Timing(
            runner_timeout=timedelta(seconds=settings.runner_timeout),
            preempt_after=timedelta(seconds=settings.preempt_seconds),
            keep_after=timedelta(seconds=settings.keep_seconds),
            remind_at_most=timedelta(seconds=settings.repair_seconds),
        )
        service = SchedulerService(bus, store, utc_now, settings.pool, timing, policy)
        await bus.start()
        await service.start()
        ready = partial(log.info, "ready", pool=settings.pool, policy=settings.policy)
        telling = asyncio.create_task(bus.tell_when_connected(ready))
        await stop.wait()
        telling.cancel()
        await service.close()
    await bus.close()
    await store.close()


if __name__ == "__main__":
    run(main)
