"""Does what no trial should do, as its hyperparameters say."""

import ctypes
import glob
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import etude.core


def leave_by_the_window(run: etude.core.Run) -> None:
    print("about to leave")
    os._exit(7)


def crash(run: etude.core.Run) -> None:
    print("about to crash", flush=True)
    ctypes.string_at(0)


def take_memory(run: etude.core.Run) -> None:
    held = []
    for _ in range(100):
        held.append(bytearray(20 * 2**20))
        time.sleep(0.05)


def leave_children(run: etude.core.Run) -> None:
    """One in the same session, one in a session of its own whose parent is gone."""
    sleeper = "import time; time.sleep(600)"
    subprocess.Popen([sys.executable, "-c", sleeper, "etude-rogue-child"])
    orphan = [sys.executable, "-c", sleeper, "etude-rogue-orphan"]
    twice = f"import subprocess; subprocess.Popen({orphan!r}, start_new_session=True)"
    subprocess.run([sys.executable, "-c", twice], check=True)


def be_deaf(run: etude.core.Run) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(1)


def chatter(run: etude.core.Run) -> None:
    line = "x" * 1023 + "\n"
    for _ in range(2**10):
        sys.stdout.write(line * 2**8)


def report_nonsense(run: etude.core.Run) -> None:
    run.report_validation(run.assignment.train_until.amount, {"loss": [1, 2, 3]})


def hang(run: etude.core.Run) -> None:
    time.sleep(600)


def pry(run: etude.core.Run) -> None:
    """Looks for the broker's password wherever a process may look."""
    seen = b"".join(os.environb.keys()) + b"".join(os.environb.values())
    processes = runner_processes()
    seen += b"".join(read(f"/proc/{process}/environ") for process in processes)
    descriptors = [os.readlink(path) for path in glob.glob("/proc/self/fd/*") if os.path.exists(path)]
    found = {"loss": float(b"guest:guest" in seen), "descriptors": len(descriptors)}
    found["interfaces"] = len(socket.if_nameindex())
    found["looked_at"] = len(processes)
    found["processes"] = len(glob.glob("/proc/[0-9]*"))
    found["writable"] = float(os.access(__file__, os.W_OK))
    run.report_validation(1, found)


def claim_files(run: etude.core.Run) -> None:
    """Says that the files of others are its checkpoint."""
    say_saved(run, uri="file:///", path="proc/self/environ")


def climb_out(run: etude.core.Run) -> None:
    """Says that its checkpoint has files outside of itself."""
    say_saved(run, uri="file:///", path="../../../../../../etc/passwd")
    time.sleep(600)


def say_saved(run: etude.core.Run, uri: str, path: str) -> None:
    lease = run.assignment.lease_number
    entry = {"path": path, "size": 100, "sha256": "0" * 64}
    told = {"say": "checkpoint", "uri": uri, "length": {"batches": 1}, "lease": lease, "reached": 1, "files": [entry]}
    run._link.send(told)


def runner_processes() -> list[int]:
    """The trial's own runner and all that it has started, as far as they can be seen.

    Other runners of this machine, of which one may just be starting, are none of its business.
    """
    parents = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        if stat := read(path).rpartition(b")")[2].split():  # what comes after the name
            parents[int(path.split("/")[2])] = int(stat[1])
    top = process = os.getpid()
    while process in parents:
        if b"etude_trial_runner" in read(f"/proc/{process}/cmdline"):
            top = process
        process = parents[process]

    def belongs(process: int) -> bool:
        return process == top or (process in parents and belongs(parents[process]))

    return [process for process in parents if belongs(process)]


def read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


BEHAVIOURS: dict[str, Callable[[etude.core.Run], None]] = {
    made.__name__: made
    for made in (
        leave_by_the_window,
        crash,
        take_memory,
        leave_children,
        be_deaf,
        chatter,
        report_nonsense,
        hang,
        pry,
        claim_files,
        climb_out,
    )
}


def main() -> None:
    with etude.core.init() as run:
        for operation in run.searcher.operations():
            BEHAVIOURS[run.get_hparam("behaviour")](run)
            if run.get_hparam("behaviour") != "pry":
                run.report_validation(operation.length, {"loss": 1.0})


if __name__ == "__main__":
    main()
