"""Harness: what a trial's process does, from its assignment to its exit code."""

import contextlib
import ctypes
import importlib
import json
import os
import resource
import runpy
import shlex
import signal
import socket
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import torch

import etude
import etude_trial_runner
from etude.config import parse
from etude.core.assignment import Assignment
from etude.core.errors import CoreError, InvalidHyperparameters, last_line
from etude.core.init import ASSIGNMENT, DESCRIPTOR
from etude.core.link import SocketLink
from etude.core.run import Run
from etude.trial.trial import Trial

_PR_SET_PDEATHSIG = 1
_GOES_FIRST = "500"
_OWN_CODE = tuple(f"{path}/" for package in (etude, etude_trial_runner) for path in package.__path__)


def carry_out(assignment_file: Path, control: int, stdout: int, stderr: int) -> int:
    """Run one allocation in this (freshly forked) process; returns the exit code.

    Parameters
    ----------
    assignment_file : the :class:`Assignment` as JSON
    control : descriptor of the socket to the runner
    stdout, stderr : descriptors for output
    """
    _detach(control, stdout, stderr)
    assignment = Assignment.model_validate_json(assignment_file.read_bytes())
    os.environ.update(assignment.environment)
    if assignment.temporary:
        os.environ["TMPDIR"] = tempfile.tempdir = assignment.temporary
    _limit_to_slots(assignment)
    _introduce(assignment)
    os.chdir(assignment.model_directory)
    sys.path.insert(0, assignment.model_directory)
    config = parse(assignment.config)
    try:
        if config.runs_script:
            os.environ[ASSIGNMENT], os.environ[DESCRIPTOR] = str(assignment_file), str(control)
            os.set_inheritable(control, True)
            _run_script(config.entrypoint)
        else:
            with Run(assignment, SocketLink(socket.socket(fileno=control))) as run:
                _trial_class(config.entrypoint).controller(run)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except InvalidHyperparameters as reason:
        return _say(control, {"say": "invalid-hyperparameters", "detail": str(reason)}, 0)
    except BaseException as error:
        _print_traceback(error)
        return _say(control, {"say": "failed", "detail": last_line(error)}, 1)
    return 0


def _detach(control: int, stdout: int, stderr: int) -> None:
    """Be a session of our own that dies with its parent, writes where it is told, and holds nothing else open.

    If memory gets short, the kernel is to end this process and not the runner.
    """
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > 2 and descriptor != control:
            with contextlib.suppress(OSError):  # that of the listing itself
                os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_GOES_FIRST)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)


def _limit_to_slots(assignment: Assignment) -> None:
    cuda = assignment.kind == "cuda"
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(assignment.slots) if cuda else ""
    if cuda and assignment.share < 1:
        torch.cuda.set_per_process_memory_fraction(assignment.share)
    os.environ["OMP_NUM_THREADS"] = str(assignment.threads)
    torch.set_num_threads(assignment.threads)


def _introduce(assignment: Assignment) -> None:
    """Say who else is there, in the words of torchrun, so that scripts may call ``init_process_group()``."""
    if assignment.size > 1:
        host, _, port = assignment.rendezvous.rpartition(":")
        os.environ.update(
            RANK=str(assignment.rank),
            WORLD_SIZE=str(assignment.size),
            LOCAL_RANK=str(assignment.local_rank),
            LOCAL_WORLD_SIZE=str(assignment.local_size),
            MASTER_ADDR=host,
            MASTER_PORT=port,
            TORCHELASTIC_USE_AGENT_STORE="True",  # the runner holds the store: rank 0 does not open another
            TORCHELASTIC_RUN_ID=f"{assignment.experiment_id}-{assignment.trial_id}-{assignment.lease_number}",
        )


def _run_script(command: str) -> None:
    """A Python script runs right here, where torch is imported already; anything else replaces this process."""
    words = shlex.split(command)
    if len(words) > 1 and Path(words[0]).name in ("python", "python3") and words[1].endswith(".py"):
        sys.argv = words[1:]
        runpy.run_path(words[1], run_name="__main__")
        return
    os.execvp("/bin/sh", ["sh", "-c", command])


def _trial_class(entrypoint: str) -> type[Trial]:
    """The class that an entrypoint such as ``model_def:Outer.MyTrial`` names.

    Raises
    ------
    CoreError
        There is no such name, or it is no Trial.
    """
    module_name, path = entrypoint.split(":", 1)
    found: Any = importlib.import_module(module_name)
    for name in path.split("."):
        if not hasattr(found, name):
            raise CoreError(f"entrypoint {entrypoint}: {found!r} has no {name}")
        found = getattr(found, name)
    if not (isinstance(found, type) and issubclass(found, Trial)):
        raise CoreError(
            f"entrypoint {entrypoint} is {found!r}; name a subclass of etude.trial.Trial, such as a PyTorchTrial"
        )
    return found


def _print_traceback(error: BaseException) -> None:
    """Without our own frames on top: users look for theirs."""
    frames = traceback.TracebackException.from_exception(error)
    while len(frames.stack) > 1 and frames.stack[0].filename.startswith(_OWN_CODE):
        frames.stack.pop(0)
    sys.stderr.write("".join(frames.format()))


def _say(control: int, message: dict[str, str], code: int) -> int:
    with contextlib.suppress(OSError):
        os.write(control, json.dumps(message).encode() + b"\n")
    return code
