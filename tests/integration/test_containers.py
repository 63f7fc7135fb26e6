"""Trials in containers, on a real podman."""

import asyncio
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from etude.core.link import Message
from etude_trial_runner.container_launcher import ContainedTrial, ContainerLauncher, Engine
from etude_trial_runner.launcher import LaunchError
from tests.servers.containers import Containers
from tests.unit.make import assignment, raw_config

REPORT = "import etude.core\nwith etude.core.init() as run:\n    run.report_validation(1, {'loss': 0.5})\n"


class Stage:
    """Launches scripts as trials in containers, and remembers what they say and write."""

    def __init__(self, folder: Path, containers: Containers) -> None:
        self.folder = folder
        self.said: list[Message] = []
        self.lines: list[tuple[str, str]] = []
        self.runner_id = f"test-{uuid.uuid4().hex[:8]}"
        self.label = f"etude.runner={self.runner_id}@{folder / 'work'}"
        self.launcher = ContainerLauncher(folder / "work", self.runner_id, "podman", [Path("/")])
        self._containers = containers

    async def launch(self, code: str, **fields: Any) -> ContainedTrial:
        """Start a script."""
        for name in ("model", "temporary"):
            (self.folder / name).mkdir(exist_ok=True)
        (self.folder / "model" / "script.py").write_text(code)
        environment = {"isolation": "container", "image": self._containers.image, **fields.pop("environment", {})}
        binds = [*self._containers.bind_mounts, *fields.pop("bind_mounts", [])]
        told = assignment(
            config=raw_config(entrypoint="python script.py", environment=environment, bind_mounts=binds),
            model_directory=str(self.folder / "model"),
            storage=f"file://{self.folder}/storage",
            temporary=str(self.folder / "temporary"),
            **fields,
        )
        return await self.launcher.launch(told, self.said.append, lambda *line: self.lines.append(line))

    async def run(self, code: str, **fields: Any) -> int:
        """Its exit code."""
        trial = await self.launch(code, **fields)
        return await asyncio.wait_for(trial.wait(), 60)

    async def until_written(self, text: str) -> None:
        """Wait for a line of output."""
        async with asyncio.timeout(60):
            while ("stdout", text) not in self.lines:
                await asyncio.sleep(0.05)

    def left(self) -> list[str]:
        """Containers of this runner."""
        listed = ["podman", "ps", "--all", "--quiet", "--filter", f"label={self.label}"]
        return subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()


@pytest_asyncio.fixture
async def stage(tmp_path: Path, containers: Containers) -> AsyncIterator[Stage]:
    made = Stage(tmp_path, containers)
    yield made
    await made.launcher.close()
    async with asyncio.timeout(10):
        while made.left():  # podman removes it a moment after it has ended
            await asyncio.sleep(0.1)


async def test_a_trial_reports_and_ends(stage: Stage) -> None:
    assert await stage.run("print('hello')\n" + REPORT) == 0
    assert ("stdout", "hello") in stage.lines
    validation, ending = stage.said
    assert (validation["say"], validation["metrics"]) == ("validation", {"loss": 0.5})
    assert ending == {"say": "ending"}


async def test_what_it_is_told_before_it_listens_it_hears_when_it_does(stage: Stage) -> None:
    code = "import etude.core\nwith etude.core.init() as run:\n    while not run.should_stop():\n        pass\n"
    trial = await stage.launch(code)
    trial.send({"do": "stop"})
    assert await asyncio.wait_for(trial.wait(), 60) == 0


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("raise SystemExit(7)", 7),
        ("import os; os._exit(9)", 9),
        ("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV),
    ],
)
async def test_it_ends_as_its_process_ended(stage: Stage, code: str, exit_code: int) -> None:
    assert await stage.run(code) == exit_code


async def test_it_sees_its_own_processes_its_code_and_nothing_else_of_the_machine(stage: Stage) -> None:
    secret = stage.folder / "work" / "secret"
    secret.parent.mkdir()
    secret.write_text("hidden")
    code = f"""
import glob, os, socket
print("processes", len(glob.glob("/proc/[0-9]*")))
print("secret", os.path.exists({str(secret)!r}))
print("interfaces", len(socket.if_nameindex()))
print("capabilities", open("/proc/self/status").read().split("CapEff:")[1].split()[0])
try:
    open("script.py", "a")
except OSError as error:
    print("code", type(error).__name__)
"""
    assert await stage.run(code, network=False) == 0
    written = dict(text.split() for stream, text in stage.lines if stream == "stdout")
    assert written == {
        "processes": "2",
        "secret": "False",
        "interfaces": "1",
        "capabilities": "0" * 16,
        "code": "OSError",
    }


async def test_a_killed_trial_leaves_no_container(stage: Stage) -> None:
    trial = await stage.launch("import time; print('up'); time.sleep(600)")
    await stage.until_written("up")
    assert trial.pid
    trial.kill()
    assert await asyncio.wait_for(trial.wait(), 30) == -signal.SIGKILL


async def test_a_trial_that_is_killed_before_its_container_runs_never_runs(stage: Stage) -> None:
    trial = await stage.launch("print('up')")
    trial.kill()
    assert await asyncio.wait_for(trial.wait(), 30) != 0
    assert ("stdout", "up") not in stage.lines


async def test_a_trial_can_be_suspended_and_goes_on(stage: Stage) -> None:
    trial = await stage.launch("import time\nfor n in range(600):\n    print(n)\n    time.sleep(0.05)")
    await stage.until_written("3")
    trial.suspend()
    await asyncio.sleep(0.3)
    before = len(stage.lines)
    await asyncio.sleep(0.5)
    assert len(stage.lines) == before
    trial.resume(stage.said.append, lambda *line: stage.lines.append(line))
    await stage.until_written(str(before + 3))


async def test_a_container_ends_with_its_runner(stage: Stage) -> None:
    code = "import os, time; os.fork(); print('up'); time.sleep(600)"
    trial = await stage.launch(code)
    await stage.until_written("up")
    processes = psutil.Process(trial.pid).children(recursive=True)
    assert len(processes) == 2
    trial._connections[0].transport.abort()  # as if the runner had been killed
    assert await asyncio.wait_for(trial.wait(), 30) == 1
    assert psutil.wait_procs(processes, timeout=10)[1] == []


async def test_an_image_that_is_not_there_is_named(stage: Stage) -> None:
    code = await stage.run(REPORT, environment={"image": "localhost:1/no-such-image:latest"})
    assert code == 125
    assert "the container did not start: " in stage.said[0]["detail"]
    assert "localhost:1/no-such-image" in stage.said[0]["detail"]


async def test_what_a_container_may_see_is_the_runners_to_say(stage: Stage) -> None:
    bind = {"host_path": "/etc", "container_path": "/conf"}
    stage.launcher = ContainerLauncher(stage.folder / "work", stage.runner_id, "podman", [Path("/usr"), Path("/srv")])
    with pytest.raises(LaunchError, match=r"does not let containers see .*ETUDE_ALLOWED_MOUNTS are: /usr, /srv"):
        await stage.run(REPORT, bind_mounts=[bind])


async def test_a_bound_folder_is_where_the_configuration_wants_it(stage: Stage) -> None:
    folder = stage.folder / "data,set"
    folder.mkdir()
    (folder / "digits").write_text("012")
    bind = {"host_path": str(folder), "container_path": "/data", "read_only": True}
    assert await stage.run("print(open('/data/digits').read())", bind_mounts=[bind]) == 0
    assert ("stdout", "012") in stage.lines
    bind["host_path"] = str(stage.folder / "nowhere")
    with pytest.raises(LaunchError, match=r"this runner has no .*nowhere"):
        await stage.run(REPORT, bind_mounts=[bind])


async def test_what_an_earlier_life_of_the_runner_left_is_removed(stage: Stage, containers: Containers) -> None:
    await Engine.find("podman").ask("create", "--label", stage.label, containers.image, "/nothing")
    assert len(stage.left()) == 1
    left = stage.left()
    assert await stage.run(REPORT) == 0
    assert not set(left) & set(stage.left())


async def test_a_runner_of_the_same_name_with_another_work_folder_keeps_its_containers(stage: Stage) -> None:
    trial = await stage.launch("import time; print('up'); time.sleep(5)")
    await stage.until_written("up")
    stage.launcher, first = (
        ContainerLauncher(stage.folder / "other", stage.runner_id, "podman", [Path("/")]),
        stage.launcher,
    )
    assert await stage.run(REPORT, rank=1) == 0
    assert await asyncio.wait_for(trial.wait(), 60) == 0
    await first.close()


async def test_no_container_is_started_while_those_of_an_earlier_life_are_looked_for(stage: Stage) -> None:
    engine = stage.folder / "bin" / "podman"
    engine.parent.mkdir()
    engine.write_text(f'#!/bin/sh\n[ "$1" = ps ] && sleep 2\nexec {shutil.which("podman")} "$@"\n')
    engine.chmod(0o755)
    stage.launcher = ContainerLauncher(stage.folder / "work", stage.runner_id, str(engine), [Path("/")])
    trials = await asyncio.gather(*(stage.launch("import time; time.sleep(4)", rank=rank) for rank in range(2)))
    async with asyncio.timeout(60):
        assert [await trial.wait() for trial in trials] == [0, 0]


async def test_files_that_a_trial_writes_belong_to_the_user_of_the_runner(stage: Stage) -> None:
    assert await stage.run(f"open({str(stage.folder / 'storage' / 'file')!r}, 'w')") == 0
    assert (stage.folder / "storage" / "file").stat().st_uid == os.getuid()
