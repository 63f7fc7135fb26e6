"""A disk that fills up loses nothing: when there is room again, everything goes on by itself."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.fleet import MODEL, Fleet, running_fleet, write_config

FULL_SECONDS = 8.0


def mounted() -> bool:
    """May this process mount file systems?"""
    return os.geteuid() == 0 and shutil.which("mount") is not None


pytestmark = pytest.mark.skipif(not mounted(), reason="only root may mount the small file systems that are filled here")


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Callable[[], Path]]:
    """A file system of its own at a folder; yields what fills it with a file, and returns that."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder], check=True)

    def fill() -> Path:
        ballast = folder / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(b"\0" * 4096)
                file.flush()
        return ballast

    try:
        yield fill
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fills_up_and_is_freed(fleet: Fleet, fill: Callable[[], Path]) -> None:
    experiment_id = fleet.create()
    fleet.goes_on(experiment_id)
    ballast = fill()
    time.sleep(FULL_SECONDS)
    ballast.unlink()
    fleet.completes(experiment_id)


@pytest.mark.parametrize("what", ["work", "storage"])
def test_of_reports_or_artifacts(tmp_path: Path, what: str) -> None:
    with small_disk(tmp_path / what, 64) as fill, running_fleet(tmp_path) as fleet:
        fills_up_and_is_freed(fleet, fill)


def test_of_the_database(tmp_path: Path) -> None:
    with small_disk(tmp_path / "mongod" / "data", 512) as fill, running_fleet(tmp_path) as fleet:
        experiment_id = fleet.create()
        fleet.goes_on(experiment_id)
        ballast = fill()
        time.sleep(FULL_SECONDS)
        ballast.unlink()
        if not fleet.mongod.is_running:  # it ends itself rather than lose something
            fleet.mongod.start()
        fleet.completes(experiment_id)


def test_of_a_run_without_servers(tmp_path: Path) -> None:
    home = tmp_path / "home"
    config = write_config(tmp_path)
    command = [sys.executable, "-c", "from etude.cli.main import main; main()"]
    with small_disk(home, 64) as fill, (tmp_path / "output").open("w+") as output:
        run = subprocess.Popen(
            [*command, "run", config, MODEL, "--home", home, "--slots", "2"], stdout=output, stderr=subprocess.STDOUT
        )
        try:
            database = home / "etude.db"
            deadline = time.monotonic() + 90
            while not (database.exists() and list(home.glob("artifacts/checkpoints/*/*/*"))):
                assert time.monotonic() < deadline, (tmp_path / "output").read_text()
                time.sleep(0.1)
            ballast = fill()
            time.sleep(FULL_SECONDS)
            ballast.unlink()
            assert run.wait(240) == 0, (tmp_path / "output").read_text()
        finally:
            run.kill()
            run.wait()
    assert "Traceback" not in (tmp_path / "output").read_text()
