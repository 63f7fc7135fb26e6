"""Which files of a model directory are packed."""

import os
from pathlib import Path

import pytest

from etude.artifacts.model_files import ModelFiles, model_files


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "package").mkdir(parents=True)
    (folder / "train.py").write_text("x = 1\n")
    (folder / "package" / "data.csv").write_text("1,2\n")
    return folder


def names(found: ModelFiles) -> list[str]:
    return list(found.files)


def test_links_are_followed_as_long_as_they_stay_within(model: Path, tmp_path: Path) -> None:
    (model / "again").symlink_to("package")
    (model / "copy.py").symlink_to("train.py")
    (tmp_path / "elsewhere").mkdir()
    (model / "data").symlink_to(tmp_path / "elsewhere")
    (model / "lost").symlink_to("nowhere")
    (model / "package" / "up").symlink_to("..")
    found = model_files(model)
    assert names(found) == ["again/data.csv", "copy.py", "package/data.csv", "train.py"]
    assert found.left_out == {
        "again/up": "leads back to itself",
        "data": f"leads out of the folder, to {tmp_path / 'elsewhere'}",
        "lost": "leads nowhere",
        "package/up": "leads back to itself",
    }


def test_secrets_histories_environments_and_caches_stay_behind(model: Path) -> None:
    (model / ".env").write_text("TOKEN=1")
    (model / "package" / ".env.local").write_text("TOKEN=1")
    for folder in (".git", ".venv", "__pycache__", ".ipynb_checkpoints"):
        (model / folder).mkdir()
        (model / folder / "file").write_text("x")
    (model / "environment").mkdir()
    (model / "environment" / "pyvenv.cfg").write_text("")
    found = model_files(model)
    assert names(found) == ["package/data.csv", "train.py"]
    assert found.left_out == {
        ".env": "may hold secrets",
        "environment": "is a virtual environment",
        "package/.env.local": "may hold secrets",
    }


@pytest.mark.parametrize("name", [".etudeignore", ".detignore"])
def test_people_say_what_stays_behind(model: Path, name: str) -> None:
    (model / name).write_text("*.csv\n!keep.csv\n/train.py\n")
    (model / "keep.csv").write_text("")
    (model / "package" / "train.py").write_text("")
    assert names(model_files(model)) == [name, "keep.csv", "package/train.py"]


def test_people_say_what_does_not_stay_behind(model: Path) -> None:
    (model / ".etudeignore").write_text("!.env\n")
    (model / ".env").write_text("A=1")
    assert ".env" in names(model_files(model))


def test_what_is_no_file_is_told(model: Path) -> None:
    os.mkfifo(model / "pipe")
    assert model_files(model).left_out == {"pipe": "is no file"}


def test_it_is_described_for_people(model: Path, tmp_path: Path) -> None:
    for number in range(5):
        (model / f"link{number}").symlink_to(tmp_path / "nowhere")
    assert model_files(model).describe() == (
        "2 files, 1 KiB; left out: link0 (leads nowhere), link1 (leads nowhere), link2 (leads nowhere) and 2 more"
    )
