"""``python -m etude_searcher``: the searcher as a process."""

import asyncio
from functools import partial

import structlog

from etude.bus.amqp import AmqpBus
from etude.service.clock import utc_now
from etude.service.logs import log_as_json
from etude.service.runtime import run, until_available
from etude.service.settings import Settings, from_environment
from etude.store.mongo import MongoStore
from etude_searcher.service import SearcherService

log = structlog.get_logger("etude.searcher")


async def main(stop: asyncio.Event) -> None:
    """Serve until told to stop."""
    settings = from_environment(Settings)
    log_as_json("searcher", settings.log_level)
    store = MongoStore(settings.mongo_url, settings.database)
    bus = AmqpBus(settings.amqp_url, name="searcher", pools=(settings.pool,))
    if await until_available("MongoDB", store.open, stop):
        service = SearcherService(bus, store, utc_now, settings.repair_seconds)
        await bus.start()
        await service.start()
        ready = partial(log.info, "ready", database=settings.database)
        telling = asyncio.create_task(bus.tell_when_connected(ready))
        await stop.wait()
        telling.cancel()
        await service.close()
    await bus.close()
    await store.close()


if __name__ == "__main__":
    run(main)
