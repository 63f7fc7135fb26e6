"""Folder: page and API over what `etude run` keeps, while a run goes on or not."""

import asyncio
import atexit
import contextlib
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import structlog
import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from etude.artifacts.checkpoint import delete_checkpoint
from etude.artifacts.storage import local_url
from etude.bus import DeadLetter, MemoryBroker, MemoryBus, UnknownQueueError
from etude.bus.topology import janitor
from etude.events import CheckpointDeleted, CheckpointDiscarded, Envelope, EventError
from etude.home import LOCAL_DATABASE
from etude.service.clock import utc_now
from etude.store import SqliteStore
from etude_metrics.api.access import Access
from etude_metrics.api.app import create_app
from etude_metrics.service import MetricsService
from etude_metrics.upgrade import upgrade_views
from etude_searcher.service import SearcherService
from etude_standalone.inlet import hand_over

log = structlog.get_logger("etude.folder")

_QUIET_SECONDS = 10.0


class NoFolderError(LookupError):
    """There is nothing that `etude run` kept; the message says where it was looked for, and what to do."""


class Folder:
    """Answers questions about a folder, and takes wishes.

    A wish goes to the run of the experiment. If there is none, the search decides here, and what it decides is
    carried out by the next run: ``etude run --resume``.

    Parameters
    ----------
    home : folder of `etude run`

    Raises
    ------
    NoFolderError
        There is no database in it.
    """

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        if not (self.home / LOCAL_DATABASE).is_file():
            raise NoFolderError(
                f"{self.home} holds nothing that etude run kept; name its folder with --home (or ETUDE_HOME), or an "
                "installation with ETUDE_API_URL"
            )
        self._store = SqliteStore(self.home / LOCAL_DATABASE)
        self._storage = local_url(self.home / "artifacts")
        self._deciding = asyncio.Lock()

    async def open(self) -> FastAPI:
        """Open the database; returns what answers."""
        await self._store.open()
        await upgrade_views(self._store)

        async def ready() -> str | None:
            return None

        access = Access(loopback_only=True)
        return create_app(
            self._store,
            ready,
            CollectorRegistry(),
            self.publish,
            self._storage,
            access=access,
            requeue=self._publish_again,
        )

    async def close(self) -> None:
        """Close the database."""
        await self._store.close()

    async def publish(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        """Hand events to the runs that they are for, or let the search decide here; returns those nobody wants."""
        unwanted = []
        for envelope in envelopes:
            wanted = await hand_over(self.home, envelope)
            if wanted is None:
                wanted = await self._decide(envelope)
            if not wanted:
                unwanted.append(envelope)
        return unwanted

    async def _publish_again(self, letter: DeadLetter) -> None:
        """Hand a dead letter to whoever wants it now. All handlers get it: what they know already changes nothing."""
        try:
            unwanted = await self.publish([Envelope.parse(letter.body)])
        except EventError as error:
            raise UnknownQueueError(f"nobody can read it, so that it can only be dropped: {error}") from None
        if unwanted:
            raise UnknownQueueError("it is for a run that goes on, and none does; it stays until one is resumed")

    async def _decide(self, envelope: Envelope) -> bool:
        """Carry out a wish without a run: the search decides, and the views show it."""
        if not envelope.experimentid:
            return False  # it is for the runner of a run
        async with (
            self._deciding,
            _Services(self._store, self._storage, envelope.pool, envelope.experiment) as services,
        ):
            unwanted = await services.bus.publish([envelope])
            await services.settle()
            await services.metrics.clean()  # what was deleted is erased at once
            await services.settle()
            return not unwanted


class OneExperimentBus(MemoryBus):
    """Carries the events of one experiment; those of others belong to their runs, which write the same documents."""

    def __init__(self, broker: MemoryBroker, experiment_id: str) -> None:
        super().__init__(broker)
        self._experiment_id = experiment_id

    async def publish(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        """Route the events of the experiment; those of others are nobody's here."""
        return await super().publish([e for e in envelopes if e.experimentid == self._experiment_id])


class _Services:
    """What decides about an experiment and remembers it, without anybody who trains."""

    def __init__(self, store: SqliteStore, storage: str, pool: str, experiment_id: str) -> None:
        self._broker = MemoryBroker(pools=(pool,))
        self.bus = OneExperimentBus(self._broker, experiment_id)
        self._pool = pool
        self._searcher = SearcherService(self.bus, store, utc_now)
        self.metrics = MetricsService(self.bus, store, storage)

    async def __aenter__(self) -> Self:
        await self.metrics.start()
        await self.bus.subscribe(janitor(self._pool), self._delete)
        await self._searcher.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._searcher.close()
        await self.metrics.close()
        await self.bus.close()

    async def settle(self) -> None:
        """Wait until all events are dealt with."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_QUIET_SECONDS):
                while not self._broker.idle:
                    await asyncio.sleep(0.02)

    async def _delete(self, batch: Sequence[Envelope]) -> None:
        """Delete the files of checkpoints, as runners do elsewhere."""
        for envelope in batch:
            if isinstance(event := envelope.data, CheckpointDiscarded):
                for uri in event.uris:
                    await asyncio.to_thread(delete_checkpoint, uri, envelope.experiment, event.trial_id)
                deleted = CheckpointDeleted(trial_id=event.trial_id, uris=event.uris)
                told = Envelope.wrap(
                    deleted, source="client", time=utc_now(), experiment_id=envelope.experiment, pool=envelope.pool
                )
                await self.bus.publish([told])


class _Server(uvicorn.Server):
    """Signals are somebody else's."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """Leave them alone."""
        yield


async def serve(folder: Folder, listener: socket.socket, stop: asyncio.Event) -> None:
    """Answer on a socket until told to stop."""
    app = await folder.open()
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1, ws="none"
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)
        stopping.cancel()
        await folder.close()


def open_folder(home: Path) -> str:
    """Answer on a thread of this process, for this process alone, until it ends; returns the name of the socket.

    Raises
    ------
    NoFolderError
        There is nothing in the folder.
    """
    folder = Folder(home)
    place = tempfile.mkdtemp(prefix="etude-")
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)  # names a place however long its name is
    name = f"/proc/self/fd/{descriptor}/api"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(name)
    listener.listen(128)  # whoever asks before the thread is there waits

    def answer() -> None:
        asyncio.run(serve(folder, listener, asyncio.Event()))

    threading.Thread(target=answer, name="etude-folder", daemon=True).start()
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return name
