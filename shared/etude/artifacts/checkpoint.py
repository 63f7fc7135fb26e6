"""Checkpoints: folders of files that become visible whole, by their manifest, or not at all."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from etude.artifacts.errors import ArtifactError, DamagedError, MissingError
from etude.artifacts.files import Files
from etude.artifacts.places import CheckpointPlace, place_of_trial
from etude.artifacts.storage import filesystem, is_local
from etude.events import CheckpointSaved, FileEntry, Length

_STAGING = ".partial-"
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

    def announce(self, uri: str) -> CheckpointSaved:
        """The event that tells of this checkpoint; of which trial it is, and which lease, its place says."""
        place = CheckpointPlace.of(uri)
        return CheckpointSaved(
            trial_id=place.trial_id, lease_number=place.lease_number, uri=uri, length=self.length, files=self.files
        )


@contextlib.contextmanager
def staging_folder(uri: str) -> Iterator[Path]:
    """A folder to write a checkpoint's files into, near its place if that is on this machine."""
    parent: Path | None = None
    if is_local(uri):
        parent = Path(filesystem(uri)[1]).parent
        parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=_STAGING, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_staging(uri: str) -> None:
    """Remove the staging folders of a trial of which no other process saves.

    Parameters
    ----------
    uri : of any checkpoint of the trial
    """
    if is_local(uri):
        for folder in Path(filesystem(uri)[1]).parent.glob(f"{_STAGING}*"):
            shutil.rmtree(folder, ignore_errors=True)


def commit_checkpoint(folder: Path, uri: str, **about: Any) -> Manifest:
    """Store a folder's files at a URI; the manifest last.

    Parameters
    ----------
    about : fields of the :class:`Manifest` but its files
    """
    _without_links(folder)
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
    """The files of a checkpoint, each checked, in a local folder that is there as long as the context.

    Raises
    ------
    ArtifactError
        There is no whole checkpoint at the URI, or a file of it is damaged.
    """
    if is_local(uri):
        files = Files(uri)
        for entry in read_manifest(uri).files:
            with _opened(uri, files, entry) as file:
                _check(uri, entry, file)
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
    manifest = read_manifest(uri)
    files = Files(uri)
    for entry in manifest.files:
        target = folder / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        with _opened(uri, files, entry) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        with target.open("rb") as file:
            _check(uri, entry, file)
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1))
    return manifest


def read_manifest(uri: str) -> Manifest:
    """What a checkpoint holds.

    Raises
    ------
    ArtifactError
        There is no whole checkpoint at the URI, or its manifest cannot be read.
    """
    fs, path = filesystem(uri)
    try:
        return Manifest.model_validate(json.loads(fs.cat_file(f"{path}/{MANIFEST}")))
    except FileNotFoundError as error:
        raise MissingError(f"there is no whole checkpoint at {uri}: it has no {MANIFEST}") from error
    except OSError as error:
        raise ArtifactError(f"checkpoint {uri} cannot be read: {error}") from error
    except (ValidationError, ValueError) as error:
        raise DamagedError(f"checkpoint {uri} has a damaged {MANIFEST}: {error}") from error


def experiment_checkpoints(folder: str) -> list[str]:
    """All whole checkpoints of an experiment, sorted; none if its storage cannot be seen from here.

    Parameters
    ----------
    folder : URI of what holds a folder for each of its trials

    Raises
    ------
    ArtifactError
        The storage cannot be read.
    """
    fs, path = filesystem(folder)
    try:
        files = [str(file).split("/") for file in fs.find(path, maxdepth=3)]
    except OSError as error:
        raise ArtifactError(f"the checkpoints in {folder} cannot be listed: {error}") from error
    depth = len(path.split("/")) + 3
    return sorted(f"{folder}/{file[-3]}/{file[-2]}" for file in files if len(file) == depth and file[-1] == MANIFEST)


def earlier_checkpoints(uri: str) -> Iterator[tuple[str, Manifest]]:
    """The checkpoints of the same trial that are older than one, the newest first; their files are not checked."""
    fs, path = filesystem(uri)
    parent, _, name = path.rpartition("/")
    try:
        found = sorted((_age(there.rpartition("/")[2]), there) for there in fs.ls(parent, detail=False))
    except OSError:
        return
    for age, there in reversed(found):
        if age and age < _age(name):
            older = uri.removesuffix(name) + there.rpartition("/")[2]
            with contextlib.suppress(ArtifactError):
                yield older, read_manifest(older)


def delete_checkpoint(uri: str, experiment_id: str, trial_id: int) -> None:
    """Remove a checkpoint of a trial, its manifest first; nothing happens if there is none.

    Raises
    ------
    PlaceError
        The URI names anything else; nothing is removed.
    ArtifactError
        It is there, and cannot be removed.
    """
    fs, path = filesystem(place_of_trial(uri, experiment_id, trial_id).uri)
    try:
        for place in (f"{path}/{MANIFEST}", path):
            if fs.exists(place):
                fs.rm(place, recursive=True)
    except OSError as error:
        raise ArtifactError(f"checkpoint {uri} cannot be removed: {error}") from error


def _age(name: str) -> tuple[int, ...]:
    """Lease number, length and count of a checkpoint's folder; empty for any other name."""
    parts = name.split("-")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else ()


@contextlib.contextmanager
def _opened(uri: str, files: Files, entry: FileEntry) -> Iterator[BinaryIO]:
    try:
        with files.open(entry.path) as file:
            yield file
    except FileNotFoundError as error:
        raise DamagedError(f"checkpoint {uri}: {entry.path} is missing") from error


def _check(uri: str, entry: FileEntry, file: BinaryIO) -> None:
    """See that a file on a disk is what the manifest says."""
    digest = hashlib.file_digest(cast(BufferedReader, file), "sha256").hexdigest()
    if os.fstat(file.fileno()).st_size != entry.size or digest != entry.sha256:
        raise DamagedError(f"checkpoint {uri}: {entry.path} is damaged, its sha256 is not {entry.sha256}")


def _without_links(folder: Path) -> None:
    """Let files stand where links to files do: whoever reads a checkpoint follows none."""
    for file in list(folder.rglob("*")):
        if file.is_symlink() and file.is_file():
            content = file.resolve()
            file.unlink()
            shutil.copyfile(content, file)


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
