"""``python -m etude_metrics``: ingestion and query API as a process."""

import asyncio
from datetime import timedelta
from typing import Annotated

import uvicorn
from pydantic import Field

from etude.bus.amqp import AmqpBus
from etude.errors import Unavailable
from etude.service.logs import log_as_json
from etude.service.runtime import run, until_available
from etude.service.settings import Settings
from etude.store.mongo import MongoStore
from etude_metrics.api import create_app
from etude_metrics.service import MetricsService


class MetricsSettings(Settings):
    """What the metrics service is told besides."""

    api_host: str = "127.0.0.1"
    api_port: Annotated[int, Field(ge=0, lt=65536)] = 8080
    grace_seconds: Annotated[float, Field(ge=0)] = 60.0
    """How long a checkpoint is kept after it is no longer the latest."""


class _Server(uvicorn.Server):
    """Signals are the runtime's."""

    def install_signal_handlers(self) -> None:
        """Leave them alone."""


async def main(stop: asyncio.Event) -> None:
    """Serve until told to stop; ``/healthz`` and ``/readyz`` answer from the first moment."""
    settings = MetricsSettings()
    log_as_json("metrics", settings.log_level)
    store = MongoStore(settings.mongo_url, settings.database)
    bus = AmqpBus(settings.amqp_url, name="metrics", pools=(settings.pool,))
    service = MetricsService(bus, store, grace=timedelta(seconds=settings.grace_seconds))

    async def ready() -> str | None:
        try:
            await store.ping()
        except Unavailable as error:
            return str(error)
        return None if bus.connected else "no connection to RabbitMQ"

    app = create_app(store, ready, service.registry, bus.publish, settings.storage)
    config = uvicorn.Config(
        app, host=settings.api_host, port=settings.api_port, log_config=None, access_log=False, lifespan="off"
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    if await until_available("MongoDB", store.open, stop):
        await bus.start()
        await service.start()
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([stopping, serving], return_when=asyncio.FIRST_COMPLETED)
        await service.close()
    server.should_exit = True
    await serving
    await bus.close()
    await store.close()


if __name__ == "__main__":
    run(main)
