"""Model definitions: packed the same every time, unpacked whole or not at all."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from etude.artifacts import ArtifactError, check_model_directory, fetch_model_definition, store_model_definition
from etude.artifacts.model_definition import pack, unpack
from etude.artifacts.storage import local_url
from etude.config import ConfigError
from etude.events import ModelDefinition
from tests.unit.make import config


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "package").mkdir(parents=True)
    (folder / "model_def.py").write_text("class Trial: ...\n")
    (folder / "package" / "__init__.py").write_text("from .sub import *\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    return folder


def test_what_is_stored_is_what_is_fetched(model: Path, tmp_path: Path) -> None:
    definition = store_model_definition(model, local_url(tmp_path / "storage"))
    folder = fetch_model_definition(definition, tmp_path / "cache")
    assert (folder / "model_def.py").read_text() == "class Trial: ...\n"
    assert (folder / "package" / "__init__.py").exists()
    assert (folder / "run.sh").stat().st_mode & 0o100


def test_the_same_files_give_the_same_archive(model: Path, tmp_path: Path) -> None:
    first = pack(model)
    (model / "model_def.py").touch()
    (model / "__pycache__").mkdir()
    (model / "__pycache__" / "model_def.pyc").write_bytes(b"x")
    (model / ".git").mkdir()
    (model / ".git" / "HEAD").write_text("x")
    assert pack(model) == first
    storage = local_url(tmp_path / "storage")
    assert store_model_definition(model, storage) == store_model_definition(model, storage)


def test_it_is_fetched_once(model: Path, tmp_path: Path) -> None:
    definition = store_model_definition(model, local_url(tmp_path / "storage"))
    folder = fetch_model_definition(definition, tmp_path / "cache")
    Path(definition.uri.removeprefix("file://")).unlink()
    assert fetch_model_definition(definition, tmp_path / "cache") == folder


def test_a_damaged_archive_is_refused(model: Path, tmp_path: Path) -> None:
    definition = store_model_definition(model, local_url(tmp_path / "storage"))
    Path(definition.uri.removeprefix("file://")).write_bytes(b"something else")
    with pytest.raises(ArtifactError, match="is damaged: its sha256 is not"):
        fetch_model_definition(definition, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*")) if (tmp_path / "cache").exists() else True


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    definition = ModelDefinition(uri=f"file://{tmp_path}/nothing.tar.gz", sha256="0" * 64, size=1)
    with pytest.raises(ArtifactError, match=r"nothing\.tar\.gz cannot be read"):
        fetch_model_definition(definition, tmp_path / "cache")


@pytest.mark.parametrize("name", ["../escape.py", "/etc/escape.py", "link"])
def test_an_archive_that_reaches_outside_is_refused(tmp_path: Path, name: str) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        if name == "link":
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info, io.BytesIO(b""))
    body = raw.getvalue()
    path = tmp_path / "evil.tar.gz"
    path.write_bytes(body)
    definition = ModelDefinition(uri=f"file://{path}", sha256=hashlib.sha256(body).hexdigest(), size=len(body))
    with pytest.raises(ArtifactError, match=f"cannot be unpacked: '{name}' is no plain file"):
        fetch_model_definition(definition, tmp_path / "cache")
    assert list((tmp_path / "cache").glob("*")) == []
    assert not (tmp_path / "escape.py").exists()


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    for body in (b"no archive", pack(Path(__file__).parent)[:200]):
        path = tmp_path / "broken.tar.gz"
        path.write_bytes(body)
        definition = ModelDefinition(uri=f"file://{path}", sha256=hashlib.sha256(body).hexdigest(), size=len(body))
        with pytest.raises(ArtifactError, match="cannot be unpacked"):
            fetch_model_definition(definition, tmp_path / "cache")


def test_a_directory_that_is_too_large_says_what_to_do(model: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("etude.artifacts.model_definition.MAX_SIZE", 10)
    with pytest.raises(
        ArtifactError,
        match=r"has 3 files, 1 KiB, more than the 1 KiB .* the largest: package/__init__\.py .*\.etudeignore",
    ):
        store_model_definition(model, local_url(tmp_path / "storage"))


@pytest.mark.parametrize(
    "entrypoint", ["model_def:Trial", "package:Trial", "sh run.sh", "python model_def.py --fast", "true"]
)
def test_an_entrypoint_that_is_there_is_fine(model: Path, entrypoint: str) -> None:
    check_model_directory(model, config(entrypoint=entrypoint))


@pytest.mark.parametrize(
    ("entrypoint", "missing"),
    [("nothing:Trial", "nothing.py"), ("package.sub:Trial", "package.sub.py"), ("python x.py", "x.py")],
)
def test_an_entrypoint_that_is_missing_is_named_with_what_is_there(model: Path, entrypoint: str, missing: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_model_directory(model, config(entrypoint=entrypoint))
    [problem] = caught.value.problems
    assert problem.path == "entrypoint"
    assert f"needs {missing}" in problem.message
    assert "holds model_def.py" in problem.message


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a directory"):
        check_model_directory(tmp_path / "nothing", config())


def test_an_archive_that_unpacks_into_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etude.artifacts.model_definition._MAX_UNPACKED", 10_000)
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        for name in ("one", "two"):
            member = tarfile.TarInfo(name)
            member.size = 6_000
            tar.addfile(member, io.BytesIO(bytes(6_000)))
    with pytest.raises(ArtifactError, match="cannot be unpacked: it has more than"):
        unpack(body.getvalue(), tmp_path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("class Trail: ...\n", "model_def.py has no Trial; it has Trail"),
        ("def f(:\n", "model_def.py, line 1: invalid syntax"),
    ],
)
def test_a_class_that_is_not_in_its_module_is_found_without_importing_it(model: Path, text: str, problem: str) -> None:
    (model / "model_def.py").write_text(text)
    with pytest.raises(ConfigError, match=problem):
        check_model_directory(model, config(entrypoint="model_def:Trial"))


@pytest.mark.parametrize(
    "text",
    [
        "from elsewhere import Trial\n",
        "from elsewhere import *\n",
        "import elsewhere as Trial\n",
        "Trial = make()\n",
        "if True:\n    class Trial: ...\n",
        "try:\n    from a import Trial\nexcept ImportError:\n    Trial = None\n",
        "globals()['Trial'] = 1\n",
        "def __getattr__(name): ...\n",
    ],
)
def test_a_class_may_come_from_anywhere(model: Path, text: str) -> None:
    (model / "model_def.py").write_text(text)
    check_model_directory(model, config(entrypoint="model_def:Trial"))
