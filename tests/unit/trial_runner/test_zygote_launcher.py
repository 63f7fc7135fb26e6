"""Trials as real processes, forked from a warm zygote."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from etude.core.link import Message
from etude.events import Length
from etude_trial_runner.launcher import LaunchError
from etude_trial_runner.local_process import LocalProcess
from etude_trial_runner.zygote_launcher import ZygoteLauncher
from tests.unit.make import assignment, raw_config

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def launcher(work: Path) -> AsyncIterator[ZygoteLauncher]:
    made = ZygoteLauncher(work)
    await made.start()
    yield made
    await made.close()


class Heard:
    """What a process said and wrote."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.lines: list[tuple[str, str]] = []

    @property
    def text(self) -> str:
        return "\n".join(text for _, text in self.lines)


async def launch(
    launcher: ZygoteLauncher, folder: Path, code: str, entrypoint: str = "python script.py", **environment: str
) -> tuple[LocalProcess, Heard]:
    """Start a script as a trial."""
    (folder / "script.py").write_text(code)
    heard = Heard()
    told = assignment(
        config=raw_config(entrypoint=entrypoint),
        hyperparameters={"rate": 0.1},
        train_until=Length.batches(3),
        model_directory=str(folder),
        storage=f"file://{folder}/storage",
        slots=["0"],
        threads=1,
        environment=environment,
    )
    trial = await launcher.launch(told, heard.messages.append, lambda *line: heard.lines.append(line))
    return trial, heard


async def end(trial: LocalProcess) -> int:
    return await asyncio.wait_for(trial.wait(), 20)


async def test_a_script_runs_in_its_folder_with_its_environment(launcher: ZygoteLauncher, tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd(), os.environ['COLOUR'], sys.argv[1:]); print('oh', file=sys.stderr)"
    trial, heard = await launch(launcher, tmp_path, code, "python script.py --fast", COLOUR="red")
    assert await end(trial) == 0
    assert sorted(heard.lines) == [("stderr", "oh"), ("stdout", f"{tmp_path} red ['--fast']")]


async def test_it_says_and_hears_over_the_core_api(launcher: ZygoteLauncher, tmp_path: Path) -> None:
    code = """
import etude.core
with etude.core.init() as run:
    for operation in run.searcher.operations():
        run.report_validation(operation.length, {"loss": run.get_hparam("rate")})
"""
    trial, heard = await launch(launcher, tmp_path, code)
    async with asyncio.timeout(20):
        while len(heard.messages) < 2:
            await asyncio.sleep(0.01)
    trial.send({"do": "extend", "train_until": {"batches": 9}})
    async with asyncio.timeout(20):
        while len(heard.messages) < 4:
            await asyncio.sleep(0.01)
    trial.send({"do": "stop"})
    assert await end(trial) == 0
    assert [m["length"] for m in heard.messages if m["say"] == "validation"] == [{"batches": 3}, {"batches": 9}]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit('no')", 1),
        ("import os; os._exit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", -11),
        ("raise ValueError('too wide')", 1),
    ],
)
async def test_however_it_ends_the_exit_code_is_told(
    launcher: ZygoteLauncher, tmp_path: Path, code: str, expected: int
) -> None:
    trial, _ = await launch(launcher, tmp_path, code)
    assert await end(trial) == expected


async def test_an_error_comes_with_a_traceback_of_the_users_own_frames(
    launcher: ZygoteLauncher, tmp_path: Path
) -> None:
    trial, heard = await launch(launcher, tmp_path, "def build():\n    raise ValueError('too wide')\nbuild()\n")
    assert await end(trial) == 1
    assert heard.messages == [{"say": "failed", "detail": "ValueError: too wide"}]
    assert "Traceback (most recent call last)" in heard.text
    assert "in build" in heard.text
    assert "harness.py" not in heard.text


@pytest.mark.parametrize(
    ("entrypoint", "detail"),
    [
        ("script:Nothing", "CoreError: entrypoint script:Nothing:"),
        ("script:Plain", "name a subclass of etude.trial.Trial, such as a PyTorchTrial"),
        ("nothing:Trial", "ModuleNotFoundError: No module named 'nothing'"),
    ],
)
async def test_an_entrypoint_that_is_no_trial_is_named(
    launcher: ZygoteLauncher, tmp_path: Path, entrypoint: str, detail: str
) -> None:
    trial, heard = await launch(launcher, tmp_path, "class Plain: pass", entrypoint)
    assert await end(trial) == 1
    assert detail in heard.messages[0]["detail"]


async def test_any_command_can_be_a_trial(launcher: ZygoteLauncher, tmp_path: Path) -> None:
    trial, heard = await launch(launcher, tmp_path, "", "echo one && echo two >&2; exit 4")
    assert await end(trial) == 4
    assert sorted(heard.lines) == [("stderr", "two"), ("stdout", "one")]


async def test_killing_takes_its_children_along(launcher: ZygoteLauncher, tmp_path: Path) -> None:
    code = "import subprocess, time; p = subprocess.Popen(['sleep', '600']); print(p.pid, flush=True); time.sleep(600)"
    trial, heard = await launch(launcher, tmp_path, code)
    async with asyncio.timeout(20):
        while not heard.lines:
            await asyncio.sleep(0.01)
    trial.kill()
    assert await end(trial) == -signal.SIGKILL
    await gone(int(heard.text))


async def test_what_it_leaves_behind_is_ended(launcher: ZygoteLauncher, tmp_path: Path) -> None:
    trial, heard = await launch(launcher, tmp_path, "import subprocess; print(subprocess.Popen(['sleep', '600']).pid)")
    assert await end(trial) == 0
    await gone(int(heard.text))


async def gone(pid: int) -> None:
    """Wait until a process is no more."""
    async with asyncio.timeout(10):
        while psutil.pid_exists(pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                    return
            await asyncio.sleep(0.01)


async def test_a_line_without_end_is_cut(launcher: ZygoteLauncher, tmp_path: Path) -> None:
    trial, heard = await launch(
        launcher, tmp_path, "import sys; sys.stdout.write('x' * 1_000_000); print(); print('y')"
    )
    assert await end(trial) == 0
    assert sum(len(text) for _, text in heard.lines) == 1_000_001
    assert max(len(text) for _, text in heard.lines) < 200_000
    assert heard.lines[-1] == ("stdout", "y")


async def test_a_trial_never_sees_the_servers(launcher: ZygoteLauncher, tmp_path: Path) -> None:
    code = "import os; print([name for name in os.environ if name in ('ETUDE_AMQP_URL', 'ETUDE_MONGO_URL')])"
    trial, heard = await launch(launcher, tmp_path, code)
    await end(trial)
    assert heard.text == "[]"


async def test_trials_do_not_touch_each_other(launcher: ZygoteLauncher, tmp_path: Path) -> None:
    started: list[Any] = []
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / f"module_{number % 2}.py").write_text(f"print({number})")
        started.append(await launch(launcher, folder, f"import module_{number % 2}"))
    codes = [await end(trial) for trial, _ in started]
    assert codes == [0] * 6
    assert [heard.text for _, heard in started] == [str(number) for number in range(6)]


async def test_a_zygote_that_dies_is_replaced_with_the_next_trial(tmp_path: Path) -> None:
    launcher = ZygoteLauncher(tmp_path)
    await launcher.start()
    trial, _ = await launch(launcher, tmp_path, "import time; time.sleep(600)")
    assert launcher._zygote is not None
    os.kill(launcher._zygote.pid, signal.SIGKILL)
    assert await end(trial) == -signal.SIGKILL
    await gone(trial.pid)
    with contextlib.suppress(LaunchError):
        again, _ = await launch(launcher, tmp_path, "pass")
        assert await end(again) == 0
    await launcher.close()
    assert [name for name in os.listdir(tmp_path) if name.startswith("assignment-")] == []
