"""Trains nothing: a loss that falls with length, and the misbehaviour that the hyperparameters ask for."""

import os
import time

import etude.core


def main() -> None:
    with etude.core.init() as run:
        behaviour, slope = run.get_hparam("behaviour"), run.get_hparam("slope")
        print(f"slope {slope}, from {run.length}")
        length = run.length
        for operation in run.searcher.operations():
            while length < operation.length and not run.should_stop():
                time.sleep(run.get_hparam("seconds"))
                length += 1
                if behaviour == "raise" and length == 3:
                    raise ValueError(f"slope {slope} is too much for me")
                if behaviour.startswith("needs ") and length == 3:
                    open(behaviour.removeprefix("needs ")).close()
                if behaviour == "exit" and length == 3:
                    os._exit(3)
                if behaviour == "invalid":
                    raise etude.core.InvalidHyperparameters(f"slope {slope} makes no sense")
                if length == 2:
                    save(run, length)
            save(run, length)
            if length == operation.length:
                run.report_validation(length, metrics(behaviour, slope / length))


def save(run: etude.core.Run, length: int) -> None:
    with run.save_checkpoint(length) as folder:
        (folder / "length.txt").write_text(str(length))


def metrics(behaviour: str, loss: float) -> dict[str, float]:
    if behaviour == "nan":
        return {"loss": float("nan")}
    if behaviour == "missing":
        return {"other": loss}
    return {"loss": loss}


if __name__ == "__main__":
    main()
