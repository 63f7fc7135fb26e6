"""Trials without processes: they train in virtual time, and fail as often as real ones do."""

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from etude.core.assignment import Assignment
from etude.core.link import Message
from etude.events import Length


@dataclass(frozen=True)
class Luck:
    """Probabilities for each stretch of training.

    Attributes
    ----------
    crash : the process ends with an error
    invalid : the trial calls its hyperparameters invalid
    nan : the metric is not a number; missing: there is none
    """

    crash: float = 0.1
    invalid: float = 0.01
    nan: float = 0.01
    missing: float = 0.005


class SimulatedTrial:
    """One process that is none."""

    def __init__(
        self, assignment: Assignment, heard: Callable[[Message], None], dice: random.Random, luck: Luck
    ) -> None:
        self._assignment = assignment
        self._say = heard
        self._dice = dice
        self._luck = luck
        self._target = assignment.train_until.amount
        self._length = assignment.checkpoint.length if assignment.checkpoint else 0
        self._stopping = False
        self._changed = asyncio.Event()
        self._exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._live())

    pid = 2**22 + 1  # nobody's

    def send(self, message: Message) -> None:
        if message["do"] == "extend":
            self._target = max(self._target, Length.model_validate(message["train_until"]).amount)
        else:
            self._stopping = True
        self._changed.set()

    @property
    def alive(self) -> bool:
        return not self._exited.done()

    def suspend(self) -> None:
        raise AssertionError("nobody rests here: runners of the simulation have no memory for that")

    def resume(self, heard: Callable[[Message], None], wrote: Callable[[str, str], None]) -> None:
        raise AssertionError("nobody rests here")

    def kill(self) -> None:
        self._task.cancel()
        if not self._exited.done():
            self._exited.set_result(-9)

    async def wait(self) -> int:
        return await asyncio.shield(self._exited)

    async def _live(self) -> None:
        code = await self._train()
        if not self._exited.done():
            self._exited.set_result(code)

    async def _train(self) -> int:
        validated = -1
        while not self._stopping:
            if validated < self._target:
                target = self._target
                if not await self._train_until(target):
                    break
                if self._dice.random() < self._luck.crash:
                    self._say({"say": "failed", "detail": "RuntimeError: bad luck"})
                    return 1
                if self._dice.random() < self._luck.invalid:
                    self._say({"say": "invalid-hyperparameters", "detail": "too wide"})
                    return 0
                self._checkpoint()
                self._validate()
                validated = target
            else:
                self._say({"say": "waiting", "length": {"batches": validated}})
                self._changed.clear()
                await self._changed.wait()
        if self._length > validated:
            self._checkpoint()
        return 0

    async def _train_until(self, target: int) -> bool:
        """Train; False if it is stopped on the way."""
        speed = 5.0 * self._dice.uniform(0.5, 2.0)  # batches a second
        while self._length < target and not self._stopping:
            step = min(50, target - self._length)
            await asyncio.sleep(step / speed)
            self._length += step
        return self._length >= target

    def _validate(self) -> None:
        loss: float | str = objective(self._assignment, self._length)
        metrics: dict[str, float | str] = {"loss": loss}
        if self._dice.random() < self._luck.nan:
            metrics = {"loss": "nan"}
        elif self._dice.random() < self._luck.missing:
            metrics = {"other": 1.0}
        self._say(
            {
                "say": "validation",
                "length": {"batches": self._length},
                "metrics": metrics,
                "checkpoint": self._saved(),
            }
        )

    def _checkpoint(self) -> None:
        self._say({"say": "checkpoint", "length": {"batches": self._length}, "files": [], **self._saved()})

    def _saved(self) -> dict[str, int]:
        return {"lease": self._assignment.lease_number, "reached": self._length}


class SimulatedLauncher:
    """Launches simulated trials."""

    def __init__(self, dice: random.Random, luck: Luck) -> None:
        self._dice = dice
        self._luck = luck
        self._trials: list[SimulatedTrial] = []

    async def launch(
        self, assignment: Assignment, heard: Callable[[Message], None], wrote: Callable[[str, str], None]
    ) -> SimulatedTrial:
        await asyncio.sleep(self._dice.random())
        wrote("stdout", "hello")
        self._trials.append(SimulatedTrial(assignment, heard, self._dice, self._luck))
        return self._trials[-1]

    async def close(self) -> None:
        for trial in self._trials:
            trial.kill()


def objective(assignment: Assignment, length: int) -> float:
    """A loss that falls with training, to a level that the hyperparameters decide."""
    rate = float(assignment.hyperparameters["rate"])  # type: ignore[arg-type]
    return abs(math.log10(rate) + 2) + 1.0 / math.sqrt(length)
