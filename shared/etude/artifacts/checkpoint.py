"""Checkpoints: folders of files that become visible whole, by their manifest, or not at all."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from etude.artifacts.errors import ArtifactError
from etude.artifacts.storage import filesystem, is_local
from etude.events import FileEntry, Length

MANIFEST = "manifest.json"


class Manifest(BaseModel):
    """What a checkpoint holds, and of what it is."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    experiment_id: str
    trial_id: int
    lease_number: int
    length: Length
    files: list[FileEntry]
    metadata: dict[str, Any] = {}


def checkpoint_uri(storage: str, experiment_id: str, trial_id: int, lease_number: int, length: int) -> str:
    """Where a checkpoint goes: under its lease, so that nobody writes over a successor's."""
    return f"{storage.rstrip('/')}/checkpoints/{experiment_id}/{trial_id}/{lease_number}-{length}"


@contextlib.contextmanager
def staging_folder(uri: str) -> Iterator[Path]:
    """A folder to write a checkpoint's files into, near its place if that is on this machine."""
    parent: Path | None = None
    if is_local(uri):
        parent = Path(filesystem(uri)[1]).parent
        parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".partial-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def commit_checkpoint(folder: Path, uri: str, **about: Any) -> Manifest:
    """Store a folder's files at a URI; the manifest last.

    Parameters
    ----------
    about : fields of the :class:`Manifest` but its files
    """
    manifest = Manifest(files=list(_entries(folder)), **about)
    text = manifest.model_dump_json(indent=1)
    fs, path = filesystem(uri)
    if is_local(uri):
        (folder / MANIFEST).write_text(text)
        for file in folder.rglob("*"):
            _sync(file)
        folder.chmod(0o755)
        shutil.rmtree(path, ignore_errors=True)  # an unfinished one of this very lease
        folder.rename(path)
        _sync(Path(path).parent)
    else:
        fs.put(
            [str(folder / entry.path) for entry in manifest.files],
            [f"{path}/{e.path}" for e in manifest.files],
        )
        fs.pipe_file(f"{path}/{MANIFEST}", text.encode())
    return manifest


@contextlib.contextmanager
def fetch_checkpoint(uri: str) -> Iterator[Path]:
    """The files of a checkpoint, in a local folder that is there as long as the context.

    Raises
    ------
    ArtifactError
        There is no whole checkpoint at the URI.
    """
    if is_local(uri):
        _read_manifest(uri)
        yield Path(filesystem(uri)[1])
        return
    with tempfile.TemporaryDirectory(prefix="etude-checkpoint-") as name:
        fetch_checkpoint_to(uri, Path(name))
        yield Path(name)


def fetch_checkpoint_to(uri: str, folder: Path) -> Manifest:
    """Copy a checkpoint's files and manifest into a folder, checking each.

    Raises
    ------
    ArtifactError
        There is no whole checkpoint at the URI, or a file of it is damaged.
    """
    manifest = _read_manifest(uri)
    fs, path = filesystem(uri)
    for entry in manifest.files:
        target = folder / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        fs.get_file(f"{path}/{entry.path}", str(target))
        if _sha256(target) != entry.sha256:
            raise ArtifactError(f"checkpoint {uri}: {entry.path} is damaged, its sha256 is not {entry.sha256}")
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1))
    return manifest


def _read_manifest(uri: str) -> Manifest:
    fs, path = filesystem(uri)
    try:
        return Manifest.model_validate(json.loads(fs.cat_file(f"{path}/{MANIFEST}")))
    except (OSError, ValidationError, ValueError) as error:
        raise ArtifactError(f"there is no whole checkpoint at {uri}: {error}") from error


def _entries(folder: Path) -> Iterator[FileEntry]:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield FileEntry(path=file.relative_to(folder).as_posix(), size=file.stat().st_size, sha256=_sha256(file))


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
