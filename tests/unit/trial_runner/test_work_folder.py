"""Whoever starts removes what an earlier life of it left, and nobody else's."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from etude_trial_runner.work_folder import MARK, WorkFolder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch) -> Path:
    """A /tmp of our own."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def orphan(work: Path) -> "subprocess.Popen[bytes]":
    """A process that a trial of the runner left behind, in a session of its own."""
    environment = {**os.environ, MARK: str(work)}
    code = "import time; print(flush=True); time.sleep(600)"
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_files_and_folders_of_an_earlier_life_are_removed(tmp_path: Path, temporary: Path) -> None:
    earlier = WorkFolder(tmp_path / "a")
    trial = Path(tempfile.mkdtemp(prefix=earlier.temporary_prefix))
    (trial / "file").write_text("x")
    (earlier.path / "assignment-1.json").write_text("{}")
    definition, partial = earlier.path / "model_definitions" / "abc", earlier.path / "model_definitions" / ".partial-x"
    staging, saved = tmp_path / "checkpoints" / "e" / "1" / ".partial-x", tmp_path / "checkpoints" / "e" / "1" / "1-10"
    for folder in (definition, partial, staging, saved):
        folder.mkdir(parents=True)
    (earlier.path / "spool.db").write_text("")
    earlier.close()
    WorkFolder(tmp_path / "a").clear(tmp_path / "checkpoints")
    assert list(temporary.iterdir()) == []
    assert sorted(path.name for path in earlier.path.iterdir()) == ["lock", "model_definitions", "spool.db"]
    assert [definition.exists(), partial.exists(), staging.exists(), saved.exists()] == [True, False, False, True]


def test_processes_that_an_earlier_life_left_are_ended(tmp_path: Path) -> None:
    ours, others = orphan(tmp_path / "a"), orphan(tmp_path / "b")
    WorkFolder(tmp_path / "a").clear()
    assert not psutil.pid_exists(ours.pid)
    assert others.poll() is None
    others.kill()
    others.wait()


def test_what_belongs_to_another_runner_stays(tmp_path: Path, temporary: Path) -> None:
    other = WorkFolder(tmp_path / "b")
    Path(tempfile.mkdtemp(prefix=other.temporary_prefix))
    WorkFolder(tmp_path / "a").clear()
    assert len(list(temporary.iterdir())) == 1


def test_a_folder_in_which_another_process_works_is_left_alone(tmp_path: Path) -> None:
    first = WorkFolder(tmp_path / "a")
    (first.path / "assignment-1.json").write_text("{}")
    second = WorkFolder(tmp_path / "a")
    second.clear()
    assert (first.is_ours, second.is_ours) == (True, False)
    assert (first.path / "assignment-1.json").exists()
    first.close()
    assert WorkFolder(tmp_path / "a").is_ours
