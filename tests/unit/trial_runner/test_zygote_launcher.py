"""Trials as real processes, forked from a warm zygote."""

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import sys
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
    launcher: ZygoteLauncher,
    folder: Path,
    code: str,
    entrypoint: str = "python script.py",
    temporary: Path | None = None,
    **environment: str,
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
        temporary=str(temporary or ""),
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
    assert heard.messages == [{"say": "failed", "detail": "ValueError: too wide", "retryable": True}]
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


def write(folder: Path, **files: str) -> None:
    """Python files, by their names, of which ``__`` stands for a slash."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)


ABOUT = """
import json, os, sys
print(json.dumps([sys.argv, sys.path[0], __name__, __file__, __package__, __spec__ and __spec__.name,
                  sys.modules["__main__"].__dict__ is globals(), os.getcwd()]))
"""


@pytest.mark.parametrize(
    "entrypoint", ["python src/about.py --fast x", "python -u src/about.py", "python -m src.about x", "python -m src"]
)
async def test_a_script_sees_what_python_would_show_it(
    launcher: ZygoteLauncher, tmp_path: Path, entrypoint: str
) -> None:
    write(tmp_path, src__about=ABOUT)
    (tmp_path / "src" / "__main__.py").write_text(ABOUT)
    trial, heard = await launch(launcher, tmp_path, "", entrypoint)
    assert await end(trial) == 0
    words = entrypoint.split()[1:]
    python = await asyncio.create_subprocess_exec(sys.executable, *words, cwd=tmp_path, stdout=subprocess.PIPE)
    said, _ = await python.communicate()
    assert heard.text == said.decode().strip()


async def test_a_script_imports_its_neighbours(launcher: ZygoteLauncher, tmp_path: Path) -> None:
    write(tmp_path, src__train="import neighbour", src__neighbour="print('hello')")
    trial, heard = await launch(launcher, tmp_path, "", "python src/train.py")
    assert await end(trial) == 0
    assert heard.text == "hello"


@pytest.mark.parametrize("entrypoint", ["python -O script.py", "sh -c 'python script.py'", "true; python script.py"])
async def test_other_commands_use_the_python_of_the_runner(
    launcher: ZygoteLauncher, tmp_path: Path, entrypoint: str
) -> None:
    trial, heard = await launch(launcher, tmp_path, "import sys; print(sys.executable)", entrypoint, PATH="/usr/bin")
    assert await end(trial) == 0
    assert heard.text == sys.executable


@pytest.mark.parametrize("entrypoint", ["python nothing.py", "python -m nothing", "python -m nothing.train"])
async def test_a_script_that_is_not_there_is_named_and_not_tried_again(
    launcher: ZygoteLauncher, tmp_path: Path, entrypoint: str
) -> None:
    trial, heard = await launch(launcher, tmp_path, "", entrypoint)
    assert await end(trial) == 1
    assert "nothing" in heard.messages[0]["detail"]
    assert heard.messages[0]["retryable"] is False


async def test_the_text_of_an_exit_is_the_reason(launcher: ZygoteLauncher, tmp_path: Path) -> None:
    trial, heard = await launch(launcher, tmp_path, "import sys; sys.exit('data set not found')")
    assert await end(trial) == 1
    assert heard.messages == [{"say": "failed", "detail": "data set not found", "retryable": True}]
    assert heard.lines == [("stderr", "data set not found")]


ENDING = """
import atexit, sys, threading, time
def finish():
    time.sleep(0.1)
    sys.stdout.write("thread finished\\n")
atexit.register(lambda: sys.stdout.write("handler called, no line end"))
threading.Thread(target=finish).start()
{last}
"""


@pytest.mark.parametrize(
    ("last", "code"), [("pass", 0), ("sys.exit(3)", 3), ("sys.exit('no')", 1), ("raise ValueError", 1)]
)
async def test_threads_and_exit_handlers_finish(launcher: ZygoteLauncher, tmp_path: Path, last: str, code: int) -> None:
    trial, heard = await launch(launcher, tmp_path, ENDING.format(last=last))
    assert await end(trial) == code
    assert [text for stream, text in heard.lines if stream == "stdout"] == [
        "thread finished",
        "handler called, no line end",
    ]


@pytest.mark.parametrize(
    ("code", "retryable"),
    [
        ("raise OSError('reset by peer')", True),
        ("def f(): pass\nf(1)", True),
        ("import nothing", False),
        ("from os import nothing", False),
        ("def f(:", False),
        ("import argparse; argparse.ArgumentParser().parse_args(['--what'])", False),
        ("import etude.core\nwith etude.core.init() as run: run.get_hparam('what')", False),
    ],
)
async def test_a_fault_that_no_repetition_can_mend_is_told(
    launcher: ZygoteLauncher, tmp_path: Path, code: str, retryable: bool
) -> None:
    trial, heard = await launch(launcher, tmp_path, code)
    assert await end(trial) != 0
    assert {message["retryable"] for message in heard.messages} == {retryable}


async def test_a_trial_class_that_cannot_be_made_is_not_tried_again(launcher: ZygoteLauncher, tmp_path: Path) -> None:
    code = """
from etude.trial.pytorch import PyTorchTrial
class Trial(PyTorchTrial):
    def __init__(self): pass
    build_training_data_loader = build_validation_data_loader = train_batch = None
"""
    trial, heard = await launch(launcher, tmp_path, code, "script:Trial")
    assert await end(trial) == 1
    assert heard.messages[0]["retryable"] is False
    assert "positional argument" in heard.messages[0]["detail"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_is_told_to_the_runner_and_ends_what_the_trial_forked(
    launcher: ZygoteLauncher, tmp_path: Path, number: signal.Signals
) -> None:
    code = f"""
import os, signal, time
child = os.fork()
if child == 0:
    time.sleep(600)
time.sleep(0.1)
os.kill(child, {int(number)})
os.waitpid(child, 0)
os.kill(os.getpid(), {int(number)})
time.sleep(0.5)
print("goes on")
"""
    trial, heard = await launch(launcher, tmp_path, code)
    assert await end(trial) == 0
    assert [message["say"] for message in heard.messages] == ["interrupted", "ending"]
    assert heard.lines[-1] == ("stdout", "goes on")


async def test_any_command_can_be_a_trial(launcher: ZygoteLauncher, tmp_path: Path) -> None:
    trial, heard = await launch(launcher, tmp_path, "", "echo one && echo two >&2; exit 4")
    assert await end(trial) == 4
    assert sorted(heard.lines) == [("stderr", "two"), ("stdout", "one")]


async def test_whoever_hears_a_process_may_fail_and_hears_the_next_message(
    launcher: ZygoteLauncher, tmp_path: Path, capsys
) -> None:
    code = """
import etude.core
with etude.core.init() as run:
    for length in (1, 2):
        print(length)
        run.report_training(length, {"loss": 1.0})
"""
    trial, heard = await launch(launcher, tmp_path, code)
    take_message, take_line = trial._heard, trial._wrote

    def fail_once(*said: Any) -> None:
        trial._heard, trial._wrote = take_message, take_line
        raise OSError(errno.ENOSPC, "No space left on device")

    trial._heard, trial._wrote = fail_once, fail_once
    assert await end(trial) == 0
    assert [message["say"] for message in heard.messages][-1] == "ending"
    assert heard.lines[-1] == ("stdout", "2")
    assert "No space left on device" in capsys.readouterr().out


async def test_processes_that_it_starts_may_speak_for_it_however_long_the_path(
    launcher: ZygoteLauncher, tmp_path: Path
) -> None:
    temporary = tmp_path / ("long" * 30)
    temporary.mkdir()
    code = """
import subprocess, sys
if len(sys.argv) == 1:
    sys.exit(subprocess.call([sys.executable, __file__, "child"]))
import etude.core
with etude.core.init() as run:
    run.report_training(1, {"loss": 1.0})
"""
    trial, heard = await launch(launcher, tmp_path, code, temporary=temporary)
    assert await end(trial) == 0
    assert [message["say"] for message in heard.messages] == ["training", "ending"]


async def test_a_trial_that_cannot_be_heard_does_not_run_on(launcher: ZygoteLauncher, tmp_path: Path) -> None:
    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(OSError, match="No such file"):
        await launch(launcher, tmp_path, code, temporary=tmp_path / "nothing")
    async with asyncio.timeout(20):
        while launcher._trials:
            await asyncio.sleep(0.01)


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


async def test_what_is_imported_beforehand_is_there_and_nothing_else(tmp_path: Path) -> None:
    launcher = ZygoteLauncher(tmp_path, ["colorsys"])
    await launcher.start()
    trial, heard = await launch(
        launcher, tmp_path, "import sys; print('colorsys' in sys.modules, 'torch' in sys.modules)"
    )
    assert await end(trial) == 0
    assert heard.text == "True False"
    await launcher.close()


async def test_what_cannot_be_imported_beforehand_is_named(tmp_path: Path) -> None:
    launcher = ZygoteLauncher(tmp_path, ["colorsys", "no_such_module"])
    with pytest.raises(LaunchError, match="while it imported colorsys, no_such_module"):
        await launcher.start()
    await launcher.close()


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
