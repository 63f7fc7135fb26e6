"""Which command lines run in a forked interpreter, and which in a shell."""

import sys

import pytest

from etude_trial_runner.script import ScriptCommand


@pytest.mark.parametrize(
    ("entrypoint", "command"),
    [
        ("python train.py", ScriptCommand("train.py")),
        ("python3 src/train.py --lr 1 -m x", ScriptCommand("src/train.py", arguments=("--lr", "1", "-m", "x"))),
        (f"{sys.executable} train.py", ScriptCommand("train.py")),
        ("python -u train.py", ScriptCommand("train.py", is_unbuffered=True)),
        ("python -uB train.py", ScriptCommand("train.py", is_unbuffered=True, writes_bytecode=False)),
        ("python -m pkg.train --fast", ScriptCommand("pkg.train", is_module=True, arguments=("--fast",))),
        ("python -u -m pkg.train", ScriptCommand("pkg.train", is_module=True, is_unbuffered=True)),
        ("python -um pkg.train -B", ScriptCommand("pkg.train", True, ("-B",), is_unbuffered=True)),
        ("python 'my script.py' 'a b'", ScriptCommand("my script.py", arguments=("a b",))),
    ],
)
def test_what_a_forked_interpreter_does_alike(entrypoint: str, command: ScriptCommand) -> None:
    assert ScriptCommand.parse(entrypoint) == command


@pytest.mark.parametrize(
    "entrypoint",
    [
        "torchrun train.py",
        "./run.sh",
        "bash run.sh",
        "python2 train.py",
        "/opt/other/bin/python train.py",
        "python -O train.py",
        "python -W error train.py",
        "python -X dev -m pkg",
        "python -c pass",
        "python",
        "python -",
        "python -m",
        "python folder",
        "SEED=1 python train.py",
        "python a.py && python b.py",
        "python train.py > log",
        "python train.py $SEED",
        "python 'train.py",
    ],
)
def test_what_needs_a_process_of_its_own(entrypoint: str) -> None:
    assert ScriptCommand.parse(entrypoint) is None
