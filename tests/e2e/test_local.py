"""A folder of `etude run`, looked at and steered without a server, while the run goes on and after it."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etude.bus import DeadLetter
from etude.events import Envelope, ExperimentArchiveRequested
from etude.home import LOCAL_DATABASE
from etude.service.clock import utc_now
from etude.store import SqliteStore
from etude.store.schema import DEAD_LETTERS
from etude_metrics.dead_letters import letter_document
from tests.e2e.test_run import ETUDE, Home
from tests.models import LINE, line_config


class Local(Home):
    """A folder, and the commands about it."""

    def etude(self, *arguments: object) -> "subprocess.CompletedProcess[str]":
        """A command in the folder's directory, as a person gives it, to whom no installation is known."""
        known = {name: value for name, value in os.environ.items() if not name.startswith("ETUDE_")}
        return subprocess.run(
            [*ETUDE, *map(str, arguments)],
            cwd=self.folder,
            env=known | {"COLUMNS": "160"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def json(self, *arguments: object) -> Any:
        """What a command prints as JSON."""
        done = self.etude(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        """Wait for something to happen."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Local:
    """A folder with one experiment that is complete."""
    local = Local(tmp_path_factory.mktemp("local"))
    done = local.run(line_config(local.folder, trials=3), LINE, "--slots", 2)
    assert done.returncode == 0, done.stderr
    return local


@pytest.fixture
def going_on(tmp_path: Path) -> Iterator[tuple[Local, "subprocess.Popen[str]", str]]:
    """A folder, a run in it that takes a while, and its experiment."""
    local = Local(tmp_path)
    run = local.start(line_config(tmp_path, trials=40, length=50, seconds=0.05), LINE, "--slots", 2)
    try:
        local.until((tmp_path / ".etude" / "runs").exists)
        local.until(lambda: list((tmp_path / ".etude" / "runs").glob("*.sock")))
        [found] = (tmp_path / ".etude" / "runs").glob("*.sock")
        local.until(lambda: experiment_of(local)["state"] == "active")
        yield local, run, found.stem
    finally:
        run.kill()
        run.communicate()


def experiment_of(local: Local) -> dict[str, Any]:
    return dict(local.json("experiment", "list")[0])


def test_every_question_is_answered_from_the_folder(finished: Local) -> None:
    experiment_id = experiment_of(finished)["experiment_id"]
    assert "state: completed" in finished.etude("experiment", "describe", experiment_id).stdout
    assert len(finished.json("trial", "list", experiment_id)) >= 3
    assert "completed" in finished.etude("experiment", "decisions", experiment_id).stdout
    assert "nothing is wrong" in finished.etude("admin", "audit", experiment_id).stdout
    assert finished.etude("experiment", "logs", experiment_id).returncode == 0
    assert finished.etude("experiment", "wait", experiment_id).returncode == 0
    exported = finished.etude("experiment", "export", experiment_id, "--to", "csv", "tables")
    assert exported.returncode == 0, exported.stderr
    assert (finished.folder / "tables" / "trials.csv").exists()
    assert finished.etude("experiment", "download", experiment_id, "best").returncode == 0
    assert list((finished.folder / "best").iterdir())


async def test_events_that_could_not_be_processed_are_replayed_in_the_folder(finished: Local) -> None:
    experiment_id = experiment_of(finished)["experiment_id"]
    archive = ExperimentArchiveRequested(archived=True, requested_by="ada")
    event = Envelope.wrap(archive, source="client", time=utc_now(), experiment_id=experiment_id)
    letters = [DeadLetter("etude.metrics.events", body, "a test") for body in (event.to_bytes(), b"no event")]
    store = SqliteStore(finished.folder / ".etude" / LOCAL_DATABASE)
    await store.open()
    await store.put(DEAD_LETTERS, [letter_document(letter, "2026-01-01", deaths=1) for letter in letters])
    await store.close()
    done = finished.etude("admin", "dead-letters", "replay", letters[0].id)
    assert done.returncode == 0, done.stderr
    assert finished.json("experiment", "describe", experiment_id)["archived"]
    [left] = finished.json("admin", "dead-letters", "list")
    assert left["letter_id"] == letters[1].id
    refused = finished.etude("admin", "dead-letters", "replay", letters[1].id)
    assert refused.returncode == 1
    assert "it can only be dropped" in refused.stderr
    assert finished.etude("admin", "dead-letters", "drop", "--all").returncode == 0
    assert finished.json("admin", "dead-letters", "list") == []
    assert finished.etude("experiment", "unarchive", experiment_id).returncode == 0


def test_the_folder_may_be_elsewhere(finished: Local, tmp_path: Path) -> None:
    elsewhere = Local(tmp_path)
    [found] = elsewhere.json("experiment", "list", "--home", finished.folder / ".etude")
    assert found["state"] == "completed"


def test_a_folder_in_which_nothing_is_says_so(tmp_path: Path) -> None:
    done = Local(tmp_path).etude("experiment", "list", "--home", tmp_path / "nothing")
    assert done.returncode == 1
    assert f"{tmp_path}/nothing holds nothing that etude run kept; name its folder with --home" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_experiment_is_extended_and_the_next_run_goes_on_with_it(tmp_path: Path) -> None:
    local = Local(tmp_path)
    assert local.run(line_config(tmp_path, trials=2), LINE, "--slots", 2).returncode == 0
    experiment_id = experiment_of(local)["experiment_id"]
    extended = local.etude("experiment", "set", experiment_id, "max_trials=+2")
    assert f"{experiment_id} is active; asked for: max_trials=+2" in extended.stdout, extended.stderr
    assert f"nothing trains it now; go on with: etude run --resume {experiment_id}" in extended.stdout
    assert local.run("--resume", experiment_id).returncode == 0
    assert (experiment_of(local)["state"], experiment_of(local)["trials"]) == ("completed", 4)
    refused = local.etude("experiment", "set", experiment_id, "max_trials=1")
    assert refused.returncode == 1
    assert f"{experiment_id} refuses max_trials=1: " in refused.stderr
    assert local.etude("experiment", "delete", "--yes", experiment_id).returncode == 0
    assert local.json("experiment", "list") == []
    local.until(lambda: not list((tmp_path / ".etude" / "artifacts" / "checkpoints").glob("*/*/*")))


def test_a_run_is_steered_while_it_goes_on(going_on: tuple[Local, "subprocess.Popen[str]", str]) -> None:
    local, run, experiment_id = going_on
    assert f"{experiment_id} is paused" in local.etude("experiment", "pause", experiment_id).stdout
    assert f"{experiment_id} is active\n" == local.etude("experiment", "activate", experiment_id).stdout
    assert local.etude("experiment", "set", experiment_id, "max_concurrent_trials=1").returncode == 0
    assert f"{experiment_id} is canceled" in local.etude("experiment", "cancel", experiment_id).stdout
    assert run.wait(60) == 1
    assert not (local.folder / ".etude" / "runs" / f"{experiment_id}.sock").exists()


def test_after_a_kill_the_folder_is_steered_without_the_run(
    going_on: tuple[Local, "subprocess.Popen[str]", str],
) -> None:
    local, run, experiment_id = going_on
    run.kill()
    run.wait()
    assert f"{experiment_id} is canceled" in local.etude("experiment", "cancel", experiment_id).stdout
    assert experiment_of(local)["state"] == "canceled"


def test_the_page_is_shown_for_this_machine_alone(finished: Local) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    page = subprocess.Popen([*ETUDE, "ui", "--port", str(port)], cwd=finished.folder, stdout=subprocess.PIPE, text=True)
    try:
        assert page.stdout is not None
        assert f"at http://127.0.0.1:{port}" in page.stdout.readline()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert b"<title>" in answer.read()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/experiments") as answer:
            assert json.loads(answer.read())["items"][0]["state"] == "completed"
        taken = finished.etude("ui", "--port", port)
        assert taken.returncode == 1
        assert f"port {port} of this machine cannot be used: Address already in use" in taken.stderr
        page.send_signal(signal.SIGINT)
        assert page.wait(10) == 0
    finally:
        page.kill()
        page.wait()
