"""Experiments that other programs make: by an event, with aio-pika alone, and over HTTP, with curl."""

import json
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from tests.e2e.installation import EXAMPLES, Installation
from tests.models import LINE, line_config
from tests.servers.tools import tool

PRODUCERS = EXAMPLES / "producers"


def test_a_program_makes_an_experiment_by_an_event(running: Installation, tmp_path: Path) -> None:
    running.wait(running.create(line_config(tmp_path, trials=1), LINE))  # so that all queues are there
    config = tmp_path / "config.json"
    config.write_text(json.dumps(YAML(typ="safe", pure=True).load(line_config(tmp_path, trials=3))))
    command = [sys.executable, str(PRODUCERS / "publish.py"), str(config), str(LINE)]
    done = subprocess.run(command, env=running.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    experiment = running.wait(done.stdout.strip())
    assert (experiment["state"], experiment["trials"], experiment["owner"]) == ("completed", 3, "publish.py")


def test_a_shell_script_makes_an_experiment_over_http(running: Installation, tmp_path: Path) -> None:
    tool("curl")
    running.wait(running.create(line_config(tmp_path, trials=1), LINE))  # so that all queues are there

    def create(config: Path) -> "subprocess.CompletedProcess[str]":
        command = ["sh", str(PRODUCERS / "create.sh"), str(config), str(LINE)]
        return subprocess.run(command, env=running.environment, capture_output=True, text=True, timeout=60, check=False)

    done = create(line_config(tmp_path, trials=3))
    assert done.returncode == 0, done.stderr + done.stdout
    experiment = running.wait(json.loads(done.stdout)["experiment_id"])
    assert (experiment["state"], experiment["trials"]) == ("completed", 3)
    bad = line_config(tmp_path, trials=0)
    refused = create(bad)
    assert refused.returncode != 0
    assert json.loads(refused.stdout)["errors"][0]["path"] == "searcher.max_trials"
