"""init: the entry of a script into the core API."""

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from etude.artifacts.storage import local_url
from etude.core.assignment import Assignment, door
from etude.core.errors import InvalidHyperparameters, failure
from etude.core.link import Link, PrintingLink, SocketLink, short_name
from etude.core.run import Run
from etude.core.signals import forward_signals
from etude.events import Length

ASSIGNMENT = "ETUDE_TRIAL_ASSIGNMENT"
DESCRIPTOR = "ETUDE_TRIAL_FD"


@contextlib.contextmanager
def init(hyperparameters: Mapping[str, Any] | None = None, length: int | Mapping[str, int] = 1) -> Iterator[Run]:
    """Become the trial that the runner started this process for.

    A script that is started by hand trains once, with the arguments given here, and prints what it reports. An
    exception that leaves the context is the reason that the trial's record gives.

    Parameters
    ----------
    hyperparameters, length : for a script that is started by hand, such as ``{"epochs": 5}``, or a number of batches;
        a trial has its own
    """
    if ASSIGNMENT in os.environ:
        assignment = Assignment.model_validate_json(Path(os.environ[ASSIGNMENT]).read_bytes())
        connection = _connect(assignment)
        forward_signals(connection.fileno())
        link = SocketLink(connection)
        with _endings_told(link), Run(_among_workers(assignment), link) as run:
            yield run
        return
    with tempfile.TemporaryDirectory(prefix="etude-run-") as folder:
        assignment = Assignment(
            experiment_id="by-hand",
            trial_id=1,
            lease_number=1,
            config={},
            hyperparameters=dict(hyperparameters or {}),
            trial_seed=0,
            train_until=Length.model_validate(length),
            storage=local_url(Path(folder)),
        )
        with Run(assignment, PrintingLink()) as run:
            yield run


def _connect(assignment: Assignment) -> socket.socket:
    """The socket to the runner: inherited, or a new one in a process that another program (torchrun) started."""
    with contextlib.suppress(OSError, ValueError):
        descriptor, inode = map(int, os.environ[DESCRIPTOR].split(":"))
        if os.fstat(descriptor).st_ino == inode:
            return socket.socket(fileno=os.dup(descriptor))
    connection = socket.socket(socket.AF_UNIX)
    with short_name(door(assignment)) as name:
        connection.connect(name)
    return connection


def describe_descriptor(descriptor: int) -> str:
    """The value of :data:`DESCRIPTOR`, by which a process knows that it has inherited the socket and nothing else."""
    return f"{descriptor}:{os.fstat(descriptor).st_ino}"


def _among_workers(assignment: Assignment) -> Assignment:
    """The assignment of one of several workers that torchrun started for a trial of one process."""
    environment = os.environ
    size = int(environment.get("WORLD_SIZE", "1"))
    if assignment.size > 1 or size == 1 or environment.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return assignment
    return assignment.model_copy(
        update={
            "rank": int(environment["RANK"]),
            "size": size,
            "local_rank": int(environment["LOCAL_RANK"]),
            "local_size": int(environment["LOCAL_WORLD_SIZE"]),
            "rendezvous": f"{environment['MASTER_ADDR']}:{environment['MASTER_PORT']}",
        }
    )


@contextlib.contextmanager
def _endings_told(link: Link) -> Iterator[None]:
    try:
        yield
    except InvalidHyperparameters as reason:
        link.send({"say": "invalid-hyperparameters", "detail": str(reason)})
        raise SystemExit(0) from None
    except SystemExit as ended:
        if isinstance(ended.code, str):
            link.send(failure(ended))
        raise
    except Exception as error:
        link.send(failure(error))
        raise
