"""``python -m etude_scheduler``: the scheduler of one resource pool as a process."""

import asyncio
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from etude.bus.amqp import AmqpBus
from etude.service.clock import utc_now
from etude.service.logs import log_as_json
from etude.service.runtime import run, until_available
from etude.service.settings import Settings
from etude.store.mongo import MongoStore
from etude_scheduler.scheduler import Timing
from etude_scheduler.service import SchedulerService


class SchedulerSettings(Settings):
    """What the scheduler is told besides."""

    runner_timeout: Annotated[float, Field(gt=0)] = 30.0
    """Seconds of silence after which a runner is lost."""


async def main(stop: asyncio.Event) -> None:
    """Serve until told to stop."""
    settings = SchedulerSettings()
    log_as_json("scheduler", settings.log_level)
    store = MongoStore(settings.mongo_url, settings.database)
    bus = AmqpBus(settings.amqp_url, name=f"scheduler/{settings.pool}", pools=(settings.pool,))
    if await until_available("MongoDB", store.open, stop):
        timing = Timing(runner_timeout=timedelta(seconds=settings.runner_timeout))
        service = SchedulerService(bus, store, utc_now, settings.pool, timing, settings.repair_seconds)
        await bus.start()
        await service.start()
        await stop.wait()
        await service.close()
    await bus.close()
    await store.close()


if __name__ == "__main__":
    run(main)
