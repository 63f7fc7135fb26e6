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
from tests.servers.mongod import Mongod
from tests.servers.rabbitmq import RabbitMQ

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
def test_of_reports_or_artifacts(tmp_path: Path, rabbitmq: RabbitMQ, mongod: Mongod, what: str) -> None:
    with small_disk(tmp_path / what, 64) as fill, running_fleet(tmp_path, rabbitmq, mongod) as fleet:
        fills_up_and_is_freed(fleet, fill)


def test_of_a_runner_that_starts(tmp_path: Path) -> None:
    work, log = tmp_path / "work", tmp_path / "log"
    variables = {"ETUDE_RUNNER_ID": "one", "ETUDE_WORK": str(work), "ETUDE_STORAGE": f"file://{tmp_path}/storage"}
    with small_disk(work, 4) as fill, log.open("wb") as output:
        ballast = fill()
        runner = subprocess.Popen(
            [sys.executable, "-m", "etude_trial_runner"], env=os.environ | variables, stdout=output, stderr=output
        )
        try:
            until(lambda: "the runner waits for space on the disk" in log.read_text(), 30, log)
            ballast.unlink()
            until(lambda: (work / "one" / "spool.db").exists(), 30, log)
        finally:
            runner.kill()
            runner.wait()
    assert "Traceback" not in log.read_text()


def until(condition: Callable[[], bool], seconds: float, log: Path) -> None:
    """Wait for something to happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def test_of_the_database(tmp_path: Path, rabbitmq: RabbitMQ) -> None:
    mongod = Mongod(tmp_path / "mongod")
    with small_disk(mongod.folder / "data", 512) as fill, contextlib.ExitStack() as ends:
        ends.callback(mongod.kill)
        mongod.start()
        fleet = ends.enter_context(running_fleet(tmp_path, rabbitmq, mongod))
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
            until(lambda: database.exists() and any(home.glob("artifacts/checkpoints/*/*/*")), 90, tmp_path / "output")
            ballast = fill()
            time.sleep(FULL_SECONDS)
            ballast.unlink()
            assert run.wait(240) == 0, (tmp_path / "output").read_text()
        finally:
            run.kill()
            run.wait()
    assert "Traceback" not in (tmp_path / "output").read_text()
