"""Downloads: checkpoints as tar archives, made while they are sent."""

import tarfile
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from etude.artifacts import ArtifactError
from etude.artifacts.files import Files
from etude.artifacts.places import place_of_trial
from etude.store import Document
from etude_metrics.api.known import Known
from etude_metrics.api.problems import ProblemError, described
from etude_metrics.api.queries import Queries
from etude_metrics.stored_checkpoints import checkpoint_storage

_CHUNK = 2**20
_BLOCK = tarfile.BLOCKSIZE
_TAR: dict[int | str, dict[str, Any]] = {
    200: {"description": "A tar archive.", "content": {"application/x-tar": {"schema": {"type": "string"}}}}
}


def downloads(queries: Queries, known: Known, storage: str) -> APIRouter:
    """The best checkpoint of an experiment, and any of a trial.

    Parameters
    ----------
    storage : URL for experiments that name none; of each experiment nothing outside its storage is read
    """
    router = APIRouter(tags=["checkpoints"])

    @router.get(
        "/experiments/{experiment_id}/best-checkpoint",
        response_class=StreamingResponse,
        responses={**_TAR, **described(404, 503)},
    )
    async def best(experiment_id: str) -> StreamingResponse:
        """The checkpoint of the best trial, as a tar archive."""
        found = (await known.experiment(experiment_id))["best"]
        if not found or not found.get("checkpoint"):
            raise ProblemError(404, f"experiment {experiment_id} has no best checkpoint yet")
        return await _of_trial(experiment_id, found["trial_id"], lambda c: c["uri"] == found["checkpoint"])

    @router.get(
        "/experiments/{experiment_id}/trials/{trial_id}/checkpoints/{length}",
        response_class=StreamingResponse,
        responses={**_TAR, **described(404, 422, 503)},
    )
    async def one(experiment_id: str, trial_id: int, length: int) -> StreamingResponse:
        """The checkpoint of a trial at a length, as a tar archive."""
        await known.trial(experiment_id, trial_id)
        return await _of_trial(experiment_id, trial_id, lambda c: c["length"] == length)

    async def _of_trial(experiment_id: str, trial_id: int, fits: Any) -> StreamingResponse:
        experiment = await known.experiment(experiment_id)
        there, _ = await queries.checkpoints(experiment_id, trial_id, 1000, None)
        found = [checkpoint for checkpoint in there if fits(checkpoint) and not checkpoint["deleted"]]
        if not found:
            lengths = ", ".join(str(c["length"]) for c in there if not c["deleted"]) or "none"
            raise ProblemError(404, f"trial {trial_id} has no such checkpoint; there are checkpoints at: {lengths}")
        checkpoint = found[-1]
        try:
            place_of_trial(checkpoint["uri"], experiment_id, trial_id, checkpoint_storage(experiment, storage))
        except ArtifactError as error:
            raise ProblemError(503, f"the metrics service does not read it: {error}") from None
        name = f"{experiment_id}-{trial_id}-{checkpoint['length']}.tar"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(
            _archive(checkpoint, _look_for(checkpoint)), headers=headers, media_type="application/x-tar"
        )

    return router


def _look_for(checkpoint: Document) -> Files:
    try:
        files = Files(checkpoint["uri"])
        readable = files.exist()
    except (ArtifactError, OSError) as error:
        raise ProblemError(503, f"the metrics service cannot read {checkpoint['uri']}: {error}") from None
    if not readable:
        raise ProblemError(
            503, f"the metrics service does not see {checkpoint['uri']}; give it the same storage as the runners"
        )
    return files


def _archive(checkpoint: Document, files: Files) -> Iterator[bytes]:
    """A tar archive, piece by piece; a file that is not what it was ends it, so that whoever reads it notices."""
    for entry in checkpoint["files"]:
        member = tarfile.TarInfo(entry["path"])
        member.size = left = entry["size"]
        yield member.tobuf(tarfile.PAX_FORMAT)
        with files.open(entry["path"]) as file:
            while left and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk
        if left:
            raise ArtifactError(f"{checkpoint['uri']}: {entry['path']} is shorter than it was")
        yield bytes(-entry["size"] % _BLOCK)
    yield bytes(2 * _BLOCK)
