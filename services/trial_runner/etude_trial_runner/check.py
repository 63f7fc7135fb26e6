"""What is wrong with an entrypoint that only its import shows.

``python -m etude_trial_runner.check ENTRYPOINT`` imports a class, or compiles a script, in the working directory.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import traceback
from pathlib import Path

from etude.config import ExperimentConfig, Problem
from etude_trial_runner.script import ScriptCommand, put_interpreter_first

_LONGEST_SECONDS = 120
_PROGRAM = re.compile(r"[\w./+-]+")


def check_entrypoint(config: ExperimentConfig, model_directory: Path | None) -> list[Problem]:
    """Import the entrypoint in a child process, and give the reason why that fails, if it does.

    Parameters
    ----------
    model_directory : None if there is none to look into
    """
    if model_directory is None:
        return []
    if config.runs_script and ScriptCommand.parse(config.entrypoint) is None:
        return _check_program(config.entrypoint, model_directory)
    command = [sys.executable, "-m", "etude_trial_runner.check", config.entrypoint]
    try:
        done = subprocess.run(
            command,
            cwd=model_directory,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [Problem("entrypoint", f"importing {config.entrypoint} takes longer than {_LONGEST_SECONDS} s")]
    if done.returncode == 0:
        return []
    return [Problem("entrypoint", f"{config.entrypoint} cannot be used:\n{done.stderr.strip()}")]


def _check_program(entrypoint: str, model_directory: Path) -> list[Problem]:
    """Is there the program that a command line begins with?"""
    put_interpreter_first()
    try:
        words = shlex.split(entrypoint)
    except ValueError as error:
        return [Problem("entrypoint", f"{entrypoint} is no command line: {error}")]
    program = next((word for word in words if "=" not in word), "")
    is_path = "/" in program
    found = os.access(model_directory / program, os.X_OK) if is_path else shutil.which(program) is not None
    if found or not _PROGRAM.fullmatch(program):  # what a shell makes of anything else is its own affair
        return []
    return [Problem("entrypoint", f"{entrypoint}: there is no program {program} here, or it cannot be executed")]


def _import(entrypoint: str) -> None:
    script = ScriptCommand.parse(entrypoint)
    if script is not None:
        script.compile()
        return
    from etude_trial_runner.harness import trial_class  # which imports torch

    trial_class(entrypoint)


def _main(entrypoint: str) -> int:
    try:
        _import(entrypoint)
    except BaseException as error:
        own = Path(__file__).parent
        frames = [f for f in traceback.extract_tb(error.__traceback__) if not Path(f.filename).is_relative_to(own)]
        shown = [f for f in frames if "importlib" not in f.filename]
        sys.stderr.write("".join([*traceback.format_list(shown), *traceback.format_exception_only(error)]))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
