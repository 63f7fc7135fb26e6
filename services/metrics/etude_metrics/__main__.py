"""``python -m etude_metrics``: ingestion and query API as a process."""

import asyncio
import contextlib
import ctypes
import socket
import sys
from datetime import timedelta
from functools import partial
from typing import Annotated, Literal

import structlog
import uvicorn
from pydantic import Field, SecretStr

from etude.bus.amqp import AmqpBus
from etude.errors import Failure, Unavailable
from etude.service.logs import log_as_json
from etude.service.runtime import run, until_available
from etude.service.settings import Settings, from_environment
from etude.store.mongo import MongoStore
from etude_metrics.api.access import Access
from etude_metrics.api.access.rules import is_loopback
from etude_metrics.api.app import create_app
from etude_metrics.api.pace import Pace
from etude_metrics.drawing import Studio
from etude_metrics.service import MetricsService

_PACE = Pace(known_seconds=0.2, recent_seconds=1.0, rest=20.0, patience=0.02)
_SWITCH_SECONDS = 0.001  # the database driver works in threads, each of which waits for the others
_M_ARENA_MAX = -8  # of glibc: so that these threads do not keep memory, each for itself
_BACKLOG = 2048
_log = structlog.get_logger()


class MetricsSettings(Settings):
    """What the metrics service is told besides."""

    api_host: str = "127.0.0.1"
    api_port: Annotated[int, Field(ge=0, lt=65536)] = 8080
    api_tokens: Literal["auto", "always", "never"] = "auto"
    """Whether a token is needed: always but on the loopback address, always, or never."""
    admin_token: Annotated[SecretStr, Field(min_length=32)] | None = None
    """Lets in who is to make the first tokens."""
    allowed_origins: list[Annotated[str, Field(pattern=r"^https?://[^/*\s]+$")]] = []
    """Whose pages may ask from elsewhere, with a token."""
    requests_per_second: Annotated[float, Field(gt=0)] = 100.0
    """Of one token; ten times as many at once."""
    grace_seconds: Annotated[float, Field(ge=0)] = 60.0
    """How long a checkpoint is kept after it is no longer the latest."""

    @property
    def access(self) -> Access:
        """Who is let in."""
        on_loopback = is_loopback(self.api_host)
        return Access(
            tokens_needed=self.api_tokens == "always" or (self.api_tokens == "auto" and not on_loopback),
            loopback_only=on_loopback and self.api_tokens == "auto",
            admin_token=self.admin_token.get_secret_value() if self.admin_token else "",
            allowed_origins=tuple(self.allowed_origins),
            requests_per_second=self.requests_per_second,
        )


class _Server(uvicorn.Server):
    """Signals are the runtime's."""

    def install_signal_handlers(self) -> None:
        """Leave them alone."""


def listen(host: str, port: int) -> socket.socket:
    """Take the address before anything else is begun: who asks too early waits.

    Raises
    ------
    Failure
        It cannot be had.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, *_, address = min(found, key=lambda one: one[0] != socket.AF_INET)  # "localhost" may be both
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise Failure(f"the API cannot listen on {host}:{port} (ETUDE_API_HOST, ETUDE_API_PORT): {error}") from None


def _address(listener: socket.socket, host: str) -> str:
    """Where the page is; of port 0, the port that the system chose."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


async def main(stop: asyncio.Event) -> None:
    """Serve until told to stop; ``/healthz`` and ``/readyz`` answer from the first moment."""
    settings = from_environment(MetricsSettings)
    log_as_json("metrics", settings.log_level)
    store = MongoStore(settings.mongo_url, settings.database)
    bus = AmqpBus(settings.amqp_url, name="metrics", pools=(settings.pool,))
    listener = listen(settings.api_host, settings.api_port)
    service = MetricsService(bus, store, settings.storage, grace=timedelta(seconds=settings.grace_seconds))

    async def ready() -> str | None:
        try:
            await store.ping()
        except Unavailable as error:
            return str(error)
        return None if bus.connected else "no connection to RabbitMQ"

    access = settings.access
    if not access.tokens_needed and not access.loopback_only:
        _log.warning("ETUDE_API_TOKENS=never: whoever reaches the API may do everything", host=settings.api_host)
    studio = Studio()
    app = create_app(
        store,
        ready,
        service.registry,
        bus.publish,
        settings.storage,
        access=access,
        pace=_PACE,
        studio=studio,
        requeue=bus.requeue,
    )
    server = _Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    if await until_available("MongoDB", store.open, stop):
        await bus.start()
        await service.start()
        ready = partial(_log.info, "ready", page=_address(listener, settings.api_host))
        telling = asyncio.create_task(bus.tell_when_connected(ready))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([stopping, serving], return_when=asyncio.FIRST_COMPLETED)
        telling.cancel()
        await service.close()
    server.should_exit = True
    await serving
    await studio.close()
    await bus.close()
    await store.close()


if __name__ == "__main__":
    sys.setswitchinterval(_SWITCH_SECONDS)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
    run(main)
