"""Model definitions: the user's model directory as one content-addressed archive."""

import ast
import gzip
import hashlib
import io
import os
import shlex
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from etude.artifacts.errors import ArtifactError
from etude.artifacts.model_files import describe_size, model_files
from etude.artifacts.storage import filesystem
from etude.config import ConfigError, ExperimentConfig, Problem
from etude.events import ModelDefinition

MAX_SIZE = 95 * 2**20  # bytes; a model definition is code, and data belongs elsewhere
_LARGE = 2**20  # bytes, of which people are told before they wait
_MAX_UNPACKED = 10 * MAX_SIZE
_MAX_FILES = 20_000
_MAX_TAR = _MAX_UNPACKED + 2**12 * _MAX_FILES  # with its headers
_MAX_READ = 2**24  # files are copied in smaller pieces, so that it is a header that wants more
_MAX_NAME = 255  # bytes of one part of a path
_MAX_PATH = 1024
_MALFORMED = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, OverflowError)


def check_model_directory(directory: Path, config: ExperimentConfig) -> None:
    """Is there what the entrypoint names, as far as that shows without importing it?

    Raises
    ------
    ConfigError
        The directory, or the entrypoint's module or class, is missing, or is no Python.
    """
    if not directory.is_dir():
        raise ConfigError([Problem("model directory", f"{directory} is not a directory")], str(directory))
    if config.runs_script:
        words = shlex.split(config.entrypoint)
        scripts = [word for word in words[:3] if word.endswith((".py", ".sh"))][:1]
        missing = [script for script in scripts if not (directory / script).is_file()]
        wanted = missing[0] if missing else ""
    else:
        module, _, path = config.entrypoint.partition(":")
        stem = directory.joinpath(*module.split("."))
        files = [file for file in (stem.with_suffix(".py"), stem / "__init__.py") if file.is_file()]
        wanted = "" if files else f"{module}.py"
        if files:
            _check_class(files[0], path.split(".")[0], config.entrypoint, directory)
    if wanted:
        there = ", ".join(sorted(path.name for path in directory.iterdir() if path.suffix == ".py")) or "no Python file"
        problem = f"{config.entrypoint!r} needs {wanted}, but {directory} holds {there}"
        raise ConfigError([Problem("entrypoint", problem)], str(directory))


def _check_class(file: Path, name: str, entrypoint: str, directory: Path) -> None:
    """Does a module define a name? It says so itself, unless it makes names as it runs."""
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except (SyntaxError, ValueError) as error:
        place = f"{file.relative_to(directory)}, line {getattr(error, 'lineno', None) or 1}"
        problem = f"{place}: {getattr(error, 'msg', error)}"
        raise ConfigError([Problem("entrypoint", f"{entrypoint!r}: {problem}")], str(directory)) from None
    names = set(_names_made(tree.body))
    if name not in names and not names & {"*", "__getattr__"} and not _makes_names(tree):
        made = sorted(node.name for node in tree.body if isinstance(node, ast.ClassDef))
        known = ", ".join(made) or "no class"
        problem = f"{entrypoint!r}: {file.relative_to(directory)} has no {name}; it has {known}"
        raise ConfigError([Problem("entrypoint", problem)], str(directory))


def _names_made(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Names that statements at the top level of a module give to something."""
    for statement in body:
        match statement:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from ((alias.asname or alias.name).split(".")[0] for alias in aliases)
            case _:
                for node in ast.walk(statement):
                    match node:
                        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                            yield name
                        case ast.Name(id=name, ctx=ast.Store()):
                            yield name
                        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                            yield from ((alias.asname or alias.name).split(".")[0] for alias in aliases)


def _makes_names(tree: ast.Module) -> bool:
    """Does a module write into its own dictionary, or run text as code?"""
    return any(
        isinstance(node, ast.Name) and node.id in ("globals", "exec", "setattr", "vars") for node in ast.walk(tree)
    )


def store_model_definition(
    directory: Path, storage: str, tell: Callable[[str], None] = lambda told: None
) -> ModelDefinition:
    """Pack a directory and store it under its hash; the same files give the same archive.

    Parameters
    ----------
    tell : is told what is packed, if that takes a while or something stays behind

    Raises
    ------
    ArtifactError
        The directory is too large.
    """
    body = pack(directory, tell)
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


def pack(directory: Path, tell: Callable[[str], None] = lambda told: None) -> bytes:
    """A directory as a deterministic tar.gz: sorted names, no owners, no times.

    Parameters
    ----------
    tell : is told what is packed, if that takes a while or something stays behind

    Raises
    ------
    ArtifactError
        The directory is too large.
    """
    chosen = model_files(directory)
    if chosen.size > MAX_SIZE or len(chosen.files) > _MAX_FILES:
        raise ArtifactError(
            f"{directory} has {chosen.describe()}, more than the {describe_size(MAX_SIZE)} or {_MAX_FILES} files that "
            f"a model definition may have; the largest: {', '.join(chosen.largest)}. Keep data and results out of the "
            "model directory, or name them in a file .etudeignore there"
        )
    if chosen.left_out or chosen.size > _LARGE:
        tell(f"packing {directory}: {chosen.describe()}")
    raw = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for name, path in chosen.files.items():
            with path.open("rb") as file:
                info = tarfile.TarInfo(name)
                info.size = os.fstat(file.fileno()).st_size
                info.mode = 0o755 if os.access(path, os.X_OK) else 0o644
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
    except _MALFORMED as error:
        raise ArtifactError(f"model definition {definition.uri} cannot be unpacked: {error}") from error
    except OSError:
        if not target.is_dir():  # unless somebody else was faster
            raise
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
    except _MALFORMED as error:
        raise ArtifactError(f"the model definition cannot be unpacked: {error}") from error


def _unpack(body: bytes, folder: Path) -> None:
    """Write the files of an archive; anything but plain files within the folder is refused."""
    size = 0
    files: set[PurePosixPath] = set()
    folders: set[PurePosixPath] = set()
    unzipped = _Unzipped(body)
    with tarfile.open(fileobj=unzipped, mode="r:") as tar:  # type: ignore[call-overload]
        for count, member in enumerate(tar):
            path = PurePosixPath(member.name)
            size += member.size
            if size > _MAX_UNPACKED or count >= _MAX_FILES:
                raise tarfile.TarError(f"it has more than {_MAX_UNPACKED >> 20} MiB or {_MAX_FILES} files")
            if member.isdir():
                continue
            if not member.isfile() or member.size < 0 or not _stays_inside(path):
                raise tarfile.TarError(f"{member.name!r} is no plain file within the model directory")
            folders.update(path.parents)
            if path in files or path in folders or not files.isdisjoint(path.parents):
                raise tarfile.TarError(f"{member.name!r} is there twice, or is a file and a folder")
            files.add(path)
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            source = tar.extractfile(member)
            assert source is not None
            with target.open("wb") as file:
                shutil.copyfileobj(source, file)
            if target.stat().st_size != member.size:
                raise EOFError(f"{member.name!r} is cut off")
            target.chmod(0o755 if member.mode & 0o100 else 0o644)
    unzipped.finish()


def _stays_inside(path: PurePosixPath) -> bool:
    """Is it the name of a file within a folder, and one that a disk takes?"""
    if path.is_absolute() or ".." in path.parts or not path.parts or len(os.fsencode(path)) > _MAX_PATH:
        return False
    return all(len(os.fsencode(part)) <= _MAX_NAME and "\0" not in part for part in path.parts)


class _Unzipped:
    """The tar within a tar.gz, of which no more is read, and no more at a time, than there may be."""

    def __init__(self, body: bytes) -> None:
        self._file = gzip.GzipFile(fileobj=io.BytesIO(body))
        self._latest = b""

    def read(self, size: int) -> bytes:
        if size > _MAX_READ:
            raise tarfile.TarError("it has a header that is too large")
        self._latest = self._file.read(size)
        self._check(self._file.tell())
        return self._latest

    def seek(self, position: int) -> None:
        self._check(position)
        self._file.seek(position)

    def tell(self) -> int:
        return self._file.tell()

    def finish(self) -> None:
        """Read what is left, which shows whether all of it has come; a header that is none ends a tar in silence."""
        while self._latest:
            if any(self._latest):
                raise tarfile.TarError("it is damaged: something follows that is no header of a file")
            self.read(2**20)

    def _check(self, position: int) -> None:
        if position > _MAX_TAR:
            raise tarfile.TarError(f"it unpacks into more than {_MAX_TAR >> 20} MiB")
