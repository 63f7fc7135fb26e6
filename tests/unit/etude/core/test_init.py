"""A script enters the core API: by hand, and as a trial."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import etude.core
from etude.core.assignment import door
from etude.core.init import ASSIGNMENT, DESCRIPTOR, describe_descriptor
from tests.unit.etude.core.recording import assignment

SCRIPT = """
import etude.core
with etude.core.init(hyperparameters={{"lr": 5}}, length={{"epochs": 2}}) as run:
    for operation in run.searcher.operations():
        {body}
        run.report_validation(operation.length, {{"loss": run.get_hparam("lr")}})
"""


def test_by_hand_it_trains_once_and_prints_its_results(capsys: pytest.CaptureFixture[str]) -> None:
    with etude.core.init(hyperparameters={"lr": 5}, length={"epochs": 2}) as run:
        for operation in run.searcher.operations():
            with run.save_checkpoint(operation.length) as folder:
                (folder / "state").write_text("x")
            run.report_training(1, {"loss": 9})
            run.report_validation(operation.length, {"loss": run.get_hparam("lr")})
    assert capsys.readouterr().out == "validation after 2 epochs: loss=5\n"


def test_a_process_that_inherited_nothing_finds_the_door_of_its_runner(tmp_path: Path) -> None:
    told = assignment(tmp_path, until={"epochs": 3}).model_copy(update={"temporary": str(tmp_path)})
    script, file = tmp_path / "script.py", tmp_path / "assignment.json"
    script.write_text(SCRIPT.format(body="pass"))
    file.write_text(json.dumps(told.to_json()))
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.bind(str(door(told)))
        waiting.listen()
        process = subprocess.Popen(
            [sys.executable, script], env={**os.environ, ASSIGNMENT: str(file), DESCRIPTOR: "1:2"}
        )
        connection, _ = waiting.accept()
        with connection, connection.makefile("r") as lines:
            said = [json.loads(lines.readline()), json.loads(lines.readline())]
            connection.sendall(b'{"do": "stop"}\n')
            assert process.wait(20) == 0
    assert [message["say"] for message in said] == ["validation", "waiting"]


def as_trial(tmp_path: Path, body: str) -> tuple[int, list[dict[str, Any]]]:
    """Run the script in a process of its own as a runner would; returns its exit code and what it said."""
    script, file = tmp_path / "script.py", tmp_path / "assignment.json"
    script.write_text(SCRIPT.format(body=body))
    file.write_text(json.dumps(assignment(tmp_path, until={"epochs": 3}).to_json()))
    ours, theirs = socket.socketpair()
    environment = {**os.environ, ASSIGNMENT: str(file), DESCRIPTOR: describe_descriptor(theirs.fileno())}
    process = subprocess.Popen(
        [sys.executable, script], env=environment, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE
    )
    theirs.close()
    said = []
    with ours, ours.makefile("r") as lines:
        for line in lines:
            said.append(json.loads(line))
            if said[-1]["say"] == "waiting":
                ours.sendall(b'{"do": "stop"}\n')
    _, _ = process.communicate(timeout=30)
    return process.returncode, said


def test_as_a_trial_it_has_the_hyperparameters_and_targets_of_the_search(tmp_path: Path) -> None:
    code, said = as_trial(tmp_path, "pass")
    assert code == 0
    assert [message["say"] for message in said] == ["validation", "waiting"]
    assert (said[0]["length"], said[0]["metrics"]) == ({"epochs": 3}, {"loss": 0.1})


def test_an_error_is_told_with_its_last_line(tmp_path: Path) -> None:
    code, said = as_trial(tmp_path, "raise ValueError('too wide')")
    assert code == 1
    assert said == [{"say": "failed", "detail": "ValueError: too wide", "retryable": True}]


def test_the_text_of_an_exit_is_told(tmp_path: Path) -> None:
    code, said = as_trial(tmp_path, "raise SystemExit('no data')")
    assert code == 1
    assert said == [{"say": "failed", "detail": "no data", "retryable": True}]


def test_invalid_hyperparameters_are_no_failure(tmp_path: Path) -> None:
    code, said = as_trial(tmp_path, "raise etude.core.InvalidHyperparameters('too wide')")
    assert code == 0
    assert said == [{"say": "invalid-hyperparameters", "detail": "too wide"}]


def test_a_trial_whose_runner_is_gone_ends(tmp_path: Path) -> None:
    script, file = tmp_path / "script.py", tmp_path / "assignment.json"
    script.write_text(SCRIPT.format(body="import time; time.sleep(60)"))
    file.write_text(json.dumps(assignment(tmp_path).to_json()))
    ours, theirs = socket.socketpair()
    environment = {**os.environ, ASSIGNMENT: str(file), DESCRIPTOR: describe_descriptor(theirs.fileno())}
    process = subprocess.Popen([sys.executable, script], env=environment, pass_fds=[theirs.fileno()])
    theirs.close()
    ours.close()
    assert process.wait(20) == 1
