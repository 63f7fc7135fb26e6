"""A trial that keeps its slot's device busy for a given time, and writes down what else the time went to."""

import json
import os
import time

import psutil
import torch

import etude.core

DEVICE = "cuda" if torch.cuda.is_available() and os.environ.get("CUDA_VISIBLE_DEVICES") else "cpu"


def work(seconds: float) -> None:
    """Multiply matrices for so long."""
    matrix = torch.rand(512, 512, device=DEVICE)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        matrix = (matrix @ matrix).softmax(0)
        if DEVICE == "cuda":
            torch.cuda.synchronize()


def main() -> None:
    began = psutil.Process().create_time()
    busy = waited = 0.0
    with etude.core.init() as run:
        done, asked = run.length, time.monotonic()
        for operation in run.searcher.operations():
            if busy:
                waited += time.monotonic() - asked
            started = time.monotonic()
            work((operation.length - done) * run.get_hparam("seconds"))
            done = operation.length
            busy += time.monotonic() - started
            with run.save_checkpoint(done) as folder:
                (folder / "state").write_text(str(done))
            run.report_validation(done, {"loss": run.get_hparam("x") / done})
            asked = time.monotonic()
            write_down(began, busy, waited)
        write_down(began, busy, waited + time.monotonic() - asked)


def write_down(began: float, busy: float, waited: float) -> None:
    """The latest line of a process counts: one that ends in the middle has written what there was."""
    times = {"process": os.getpid(), "began": began, "ended": time.time(), "busy": busy, "waited": waited}
    with open(os.environ["BENCH_TIMES"], "a") as file:
        file.write(json.dumps(times) + "\n")


if __name__ == "__main__":
    main()
