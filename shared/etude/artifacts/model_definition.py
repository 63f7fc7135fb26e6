"""Model definitions: the user's model directory as one content-addressed archive."""

import gzip
import hashlib
import io
import os
import shlex
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path, PurePosixPath

from etude.artifacts.errors import ArtifactError
from etude.artifacts.storage import filesystem
from etude.config import ConfigError, ExperimentConfig, Problem
from etude.events import ModelDefinition

MAX_SIZE = 95 * 2**20  # bytes; a model definition is code, and data belongs elsewhere
_MAX_UNPACKED = 10 * MAX_SIZE
_MAX_FILES = 20_000
_SKIPPED = {
    "__pycache__",
    ".git",
    ".etude",
    ".venv",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".ipynb_checkpoints",
}


def check_model_directory(directory: Path, config: ExperimentConfig) -> None:
    """Is there what the entrypoint names?

    Raises
    ------
    ConfigError
        The directory or the entrypoint's module is missing.
    """
    if not directory.is_dir():
        raise ConfigError([Problem("model directory", f"{directory} is not a directory")], str(directory))
    if config.runs_script:
        words = shlex.split(config.entrypoint)
        scripts = [word for word in words[:3] if word.endswith((".py", ".sh"))][:1]
        missing = [script for script in scripts if not (directory / script).is_file()]
        wanted = missing[0] if missing else ""
    else:
        module = config.entrypoint.split(":", 1)[0]
        stem = directory.joinpath(*module.split("."))
        wanted = "" if stem.with_suffix(".py").is_file() or (stem / "__init__.py").is_file() else f"{module}.py"
    if wanted:
        there = ", ".join(sorted(path.name for path in directory.iterdir() if path.suffix == ".py")) or "no Python file"
        problem = f"{config.entrypoint!r} needs {wanted}, but {directory} holds {there}"
        raise ConfigError([Problem("entrypoint", problem)], str(directory))


def store_model_definition(directory: Path, storage: str) -> ModelDefinition:
    """Pack a directory and store it under its hash; the same files give the same archive.

    Raises
    ------
    ArtifactError
        The directory is too large.
    """
    body = pack(directory)
    if len(body) > MAX_SIZE:
        raise ArtifactError(
            f"{directory} packs into {len(body) >> 20} MiB, more than the {MAX_SIZE >> 20} MiB a model definition may "
            "have; keep data and results out of the model directory"
        )
    sha256 = hashlib.sha256(body).hexdigest()
    uri = f"{storage.rstrip('/')}/model_definitions/{sha256}.tar.gz"
    fs, path = filesystem(uri)
    if not fs.exists(path):
        fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        partial = f"{path}.{os.getpid()}.partial"
        with fs.open(partial, "wb") as file:
            file.write(body)
        fs.mv(partial, path)
    return ModelDefinition(uri=uri, sha256=sha256, size=len(body))


def pack(directory: Path) -> bytes:
    """A directory as a deterministic tar.gz: sorted names, no owners, no times."""
    raw = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for path in _files(directory):
            info = tarfile.TarInfo(path.relative_to(directory).as_posix())
            info.size = path.stat().st_size
            info.mode = 0o755 if os.access(path, os.X_OK) else 0o644
            with path.open("rb") as file:
                tar.addfile(info, file)
    return raw.getvalue()


def fetch_model_definition(definition: ModelDefinition, cache: Path) -> Path:
    """The unpacked directory; fetched once, and whole or not there at all.

    Raises
    ------
    ArtifactError
        The archive is missing, or is not the one that was stored.
    """
    target = cache / definition.sha256
    if target.is_dir():
        return target
    fs, path = filesystem(definition.uri)
    try:
        body = fs.cat_file(path)
    except OSError as error:
        raise ArtifactError(f"model definition {definition.uri} cannot be read: {error}") from error
    if hashlib.sha256(body).hexdigest() != definition.sha256:
        raise ArtifactError(f"model definition {definition.uri} is damaged: its sha256 is not {definition.sha256}")
    cache.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=cache))
    try:
        _unpack(body, partial)
        partial.rename(target)
    except OSError:
        if not target.is_dir():  # unless somebody else was faster
            raise
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ArtifactError(f"model definition {definition.uri} cannot be unpacked: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def unpack(body: bytes, folder: Path) -> None:
    """Write the files of a tar.gz archive.

    Raises
    ------
    ArtifactError
        It is none, or has anything but plain files within the folder, or unpacks into too much.
    """
    try:
        _unpack(body, folder)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ArtifactError(f"the model definition cannot be unpacked: {error}") from error


def _unpack(body: bytes, folder: Path) -> None:
    """Write the files of an archive; anything but plain files within the folder is refused."""
    size = 0
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as tar:
        for count, member in enumerate(tar):
            path = PurePosixPath(member.name)
            size += member.size
            if size > _MAX_UNPACKED or count >= _MAX_FILES:
                raise tarfile.TarError(f"it has more than {_MAX_UNPACKED >> 20} MiB or {_MAX_FILES} files")
            if member.isdir():
                continue
            if not member.isfile() or path.is_absolute() or ".." in path.parts:
                raise tarfile.TarError(f"{member.name!r} is no plain file within the model directory")
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            source = tar.extractfile(member)
            assert source is not None
            with target.open("wb") as file:
                shutil.copyfileobj(source, file)
            target.chmod(0o755 if member.mode & 0o100 else 0o644)


def _files(directory: Path) -> list[Path]:
    found: list[Path] = []
    for root, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        found += [Path(root, name) for name in names if not name.endswith(".pyc")]
    return sorted(path for path in found if path.is_file())
