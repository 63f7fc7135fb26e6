"""StoredCheckpoints: checkpoints that lie in a storage, and of which nothing was heard."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

import structlog
from pydantic import ValidationError

from etude.artifacts import ArtifactError, storage_url
from etude.artifacts.checkpoint import experiment_checkpoints, read_manifest
from etude.artifacts.places import experiment_folder
from etude.config.experiment import CheckpointStorage
from etude.events import CheckpointSaved
from etude.store import Document, DocumentStore
from etude.store.schema import CHECKPOINTS

T = TypeVar("T")
log = structlog.get_logger("etude.metrics")


class Aside(Protocol):
    """Calls a function that takes long, meanwhile doing other things."""

    async def __call__(self, call: Callable[[str], T], argument: str, /) -> T: ...


class StoredCheckpoints:
    """Lists the storage of experiments.

    A checkpoint becomes visible before its event is published. If its runner dies between the two, or the broker loses
    the event, nobody knows of the files, and nobody would ever delete them.

    Parameters
    ----------
    storage : URL for experiments that name no storage
    aside : calls a function that reads the storage, meanwhile doing other things
    """

    def __init__(self, store: DocumentStore, storage: str, aside: Aside = asyncio.to_thread) -> None:
        self._store, self._storage, self._aside = store, storage, aside

    async def unheard_of(self, view: Document) -> list[CheckpointSaved]:
        """Events that tell of an experiment's checkpoints that are not known; none if its storage cannot be seen."""
        experiment_id = view["_id"]
        try:
            folder = experiment_folder(checkpoint_storage(view, self._storage), experiment_id)
            found = await self._aside(experiment_checkpoints, folder)
        except (ArtifactError, ValidationError) as error:
            log.warning("checkpoints cannot be listed", experiment_id=experiment_id, error=str(error))
            return []
        heard = {checkpoint["_id"] for checkpoint in await self._store.get(CHECKPOINTS, found)}
        events = []
        for uri in found:
            if uri in heard:
                continue
            try:
                manifest = await self._aside(read_manifest, uri)
                events.append(manifest.announce(uri))
            except ArtifactError as error:
                log.warning("a checkpoint that was lost sight of cannot be read", uri=uri, error=str(error))
        if events:
            log.warning("checkpoints are stored that nobody told of", experiment_id=experiment_id, count=len(events))
        return events


def checkpoint_storage(view: Document, default: str) -> str:
    """Where the checkpoints of an experiment lie, as a URL; of one that was deleted, too.

    Raises
    ------
    ArtifactError, ValidationError
        Its configuration does not say so.
    """
    named = (view["config"] or view).get("checkpoint_storage")
    return storage_url(CheckpointStorage.model_validate(named or {}), default)
