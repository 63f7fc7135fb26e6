"""Checkpoint: what a trial has saved."""

import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from etude.client.api import ApiClient


class Checkpoint:
    """A checkpoint, wherever it lies.

    Attributes
    ----------
    trial_id, length : whose it is, and when it was saved
    size : bytes
    uri : where it lies
    """

    def __init__(self, api: ApiClient, experiment_id: str, document: Mapping[str, Any]) -> None:
        self._api = api
        self._experiment_id = experiment_id
        self.trial_id: int = document["trial_id"]
        self.length: int = document["length"]
        self.size: int = document["size"]
        self.uri: str = document["uri"]

    def __repr__(self) -> str:
        return f"Checkpoint(trial {self.trial_id} at {self.length}, {self.size:,} bytes)"

    def download(self, folder: str | Path | None = None) -> Path:
        """Copy it into a folder, which is made; by default ``EXPERIMENT-TRIAL-LENGTH``. Returns the folder.

        From the storage, if this machine sees it, with every file checked; else from the metrics service.

        Raises
        ------
        ArtifactError
            The folder is not empty, or the checkpoint is damaged.
        ApiError
            Neither storage nor service has it.
        """
        from etude.artifacts import ArtifactError, fetch_checkpoint_to

        target = Path(folder) if folder is not None else Path(f"{self._experiment_id}-{self.trial_id}-{self.length}")
        if target.exists() and any(target.iterdir()):
            raise ArtifactError(f"{target} is not empty")
        target.mkdir(parents=True, exist_ok=True)
        try:
            fetch_checkpoint_to(self.uri, target)
        except (ArtifactError, OSError):
            if any(target.iterdir()):
                raise  # it was seen, and is damaged
            path = f"/experiments/{self._experiment_id}/trials/{self.trial_id}/checkpoints/{self.length}"
            with tarfile.open(fileobj=_Stream(self._api.stream(path)), mode="r|") as tar:
                tar.extractall(target, filter="data")
        return target


class _Stream(io.RawIOBase):
    """Pieces of bytes, as a file to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._left) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._left += piece
        given = self._left if size < 0 else self._left[:size]
        self._left = self._left[len(given) :]
        return given
