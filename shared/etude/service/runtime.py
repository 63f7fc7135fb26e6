"""Runtime: the event loop of a service, its signals, and work that is done every so often."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from importlib.util import find_spec

import structlog

from etude.errors import Failure, Unavailable

log = structlog.get_logger("etude.service")


def run(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run a service until SIGTERM or SIGINT, which set the event that ``main`` is given.

    Raises
    ------
    SystemExit
        The service cannot begin or go on with what its environment gives it; the text says what is to be mended.
    """

    async def supervised() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await main(stop)

    try:
        if find_spec("uvloop"):
            import uvloop

            uvloop.run(supervised())
        else:
            asyncio.run(supervised())
    except Failure as failure:
        sys.exit(str(failure))


async def until_available(what: str, attempt: Callable[[], Awaitable[None]], stop: asyncio.Event) -> bool:
    """Try until a server answers, with a line in the log every few seconds; False if told to stop before."""
    delay = 1.0
    while not stop.is_set():
        try:
            await attempt()
        except Unavailable as error:
            log.warning(f"waiting for {what}", reason=str(error), retry_in_seconds=delay)
        else:
            return True
        try:
            await asyncio.wait_for(stop.wait(), delay)
        except TimeoutError:
            delay = min(delay * 2, 5.0)
    return False


async def every(seconds: float, work: Callable[[], Awaitable[None]], first_after: float | None = None) -> None:
    """Do something again and again; a failure is logged, and tried again at the next turn."""
    await asyncio.sleep(seconds if first_after is None else first_after)
    said = ""
    while True:
        try:
            await work()
            said = ""
        except Unavailable as error:
            if str(error) != said:  # once, and not at every turn
                log.warning("a server is away; trying again and again", reason=str(error), retry_in_seconds=seconds)
            said = str(error)
        except Exception:
            log.exception("periodic work failed; it is tried again", retry_in_seconds=seconds)
        await asyncio.sleep(seconds)
