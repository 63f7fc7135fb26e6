"""Harness: what a trial's process does, from its assignment to its exit code."""

import contextlib
import ctypes
import importlib
import os
import resource
import signal
import socket
import sys
import tempfile
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import etude
import etude_trial_runner
from etude.config import parse
from etude.core.assignment import Assignment
from etude.core.errors import CoreError, InvalidHyperparameters, failure, is_retryable, is_usage_error
from etude.core.init import ASSIGNMENT, DESCRIPTOR, describe_descriptor
from etude.core.link import Message, SocketLink, send_message
from etude.core.run import Run
from etude.core.signals import forward_signals
from etude.trial.trial import Trial
from etude_trial_runner.script import ScriptCommand, put_interpreter_first, run_in_shell
from etude_trial_runner.shutdown import end_interpreter

_PR_SET_PDEATHSIG = 1
_GOES_FIRST = "500"
_OWN_CODE = tuple(f"{path}/" for package in (etude, etude_trial_runner) for path in package.__path__)


def carry_out(assignment_file: Path, control: int, stdout: int, stderr: int) -> NoReturn:
    """Run one allocation in this (freshly forked) process, which then ends.

    Parameters
    ----------
    assignment_file : the :class:`Assignment` as JSON
    control : descriptor of the socket to the runner
    stdout, stderr : descriptors for output
    """
    code = 1
    try:
        code = _carry_out(assignment_file, control, stdout, stderr)
    except BaseException:  # in our own code: its traceback is whole
        traceback.print_exc()
    end_interpreter(code)


def _carry_out(assignment_file: Path, control: int, stdout: int, stderr: int) -> int:
    _detach(control, stdout, stderr)
    forward_signals(control)
    assignment = Assignment.model_validate_json(assignment_file.read_bytes())
    _prepare(assignment)
    config = parse(assignment.config)
    trial = os.getpid()
    try:
        if config.runs_script:
            os.environ.update({ASSIGNMENT: str(assignment_file), DESCRIPTOR: describe_descriptor(control)})
            os.set_inheritable(control, True)
            script = ScriptCommand.parse(config.entrypoint)
            script.run() if script else run_in_shell(config.entrypoint)
        else:
            sys.path.insert(0, assignment.model_directory)
            with Run(assignment, SocketLink(socket.socket(fileno=control))) as run:
                trial_class(config.entrypoint).controller(run)
        code, message = 0, {"say": "ending"}
    except BaseException as error:
        code, message = _account(error)
    if os.getpid() == trial:  # and not a child that model code forked
        with contextlib.suppress(OSError):
            send_message(control, message)
    return code


def _account(error: BaseException) -> tuple[int, Message]:
    """The exit code of a process that ends by an exception, as Python would choose it, and what the runner is told."""
    match error:
        case SystemExit(code=None | int() as code):
            return int(code or 0), {"say": "ending"} if not is_usage_error(error) else failure(error)
        case SystemExit():
            sys.stderr.write(f"{error.code}\n")
            return 1, failure(error)
        case InvalidHyperparameters():
            return 0, {"say": "invalid-hyperparameters", "detail": str(error)}
    _print_traceback(error)
    return 1, failure(error, retryable=is_retryable(error) and not _is_refused_call(error))


def _prepare(assignment: Assignment) -> None:
    """Make the environment that the assignment wants."""
    if sys.path[:1] == [str(Path.cwd())]:  # where the runner was started is nothing to a trial
        del sys.path[0]
    os.environ.update(assignment.environment)
    put_interpreter_first()
    os.environ.setdefault("PYTHONUNBUFFERED", "1")  # of other processes: log lines come when they are written
    if assignment.temporary:
        os.environ["TMPDIR"] = tempfile.tempdir = assignment.temporary
    _limit_to_slots(assignment)
    _introduce(assignment)
    os.chdir(assignment.model_directory)


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
    _write_lines("stdout", 1, errors="surrogateescape")
    _write_lines("stderr", 2, errors="backslashreplace")


def _write_lines(name: str, descriptor: int, errors: str) -> None:
    """Let ``sys.stdout`` or ``sys.stderr`` send each line when it is written.

    It is made anew: that of the zygote knows the file behind the descriptor, which is another one here.
    """
    stream = os.fdopen(descriptor, "w", buffering=1, encoding="utf-8", errors=errors, closefd=False)
    for attribute in (name, f"__{name}__"):
        setattr(sys, attribute, stream)


def _limit_to_slots(assignment: Assignment) -> None:
    cuda = assignment.kind == "cuda"
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(assignment.slots) if cuda else ""
    os.environ["OMP_NUM_THREADS"] = str(assignment.threads)
    if "torch" in sys.modules or (cuda and assignment.share < 1):
        import torch  # which a trial of another framework does without

        torch.set_num_threads(assignment.threads)  # it has read the environment already
        if cuda and assignment.share < 1:
            torch.cuda.set_per_process_memory_fraction(assignment.share)


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


def trial_class(entrypoint: str) -> type[Trial]:
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
    """By the excepthook, which model code may have replaced; without our own frames on top: users look for theirs."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None and _is_own(trace):
        trace = trace.tb_next
    sys.excepthook(type(error), error.with_traceback(trace), trace)


def _is_refused_call(error: BaseException) -> bool:
    """Did model code not take the arguments that we call it with, or leave a method out?"""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return isinstance(error, TypeError) and trace is not None and _is_own(trace)


def _is_own(trace: TracebackType) -> bool:
    return trace.tb_frame.f_code.co_filename.startswith(_OWN_CODE)
