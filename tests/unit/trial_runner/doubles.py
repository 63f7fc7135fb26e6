"""Trial processes that do what a test says."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from etude.core.assignment import Assignment
from etude.core.link import Message
from etude.events import AllocationGranted, Length, ModelDefinition
from tests.unit.make import MODEL, raw_config


class ScriptedProcess:
    """A process that says and ends when a test tells it to."""

    def __init__(
        self, assignment: Assignment, heard: Callable[[Message], None], wrote: Callable[[str, str], None]
    ) -> None:
        self.assignment = assignment
        self.say = heard
        self.write = wrote
        self.told: list[Message] = []
        self.killed = False
        self.suspended = False
        self.pid = 2**22 + 1  # nobody's
        self._exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def send(self, message: Message) -> None:
        self.told.append(message)

    @property
    def alive(self) -> bool:
        return not self._exited.done()

    def suspend(self) -> None:
        self.suspended = True

    def resume(self, heard: Callable[[Message], None], wrote: Callable[[str, str], None]) -> None:
        self.say, self.write, self.suspended = heard, wrote, False

    def kill(self) -> None:
        self.killed = True
        self.exit(-9)

    def exit(self, code: int) -> None:
        if not self._exited.done():
            self._exited.set_result(code)

    async def wait(self) -> int:
        return await asyncio.shield(self._exited)

    def _own(self, length: int) -> Message:
        """A checkpoint under the lease that it was told last."""
        leases = [message["lease_number"] for message in self.told if message["do"] == "resume"]
        return {"lease": leases[-1] if leases else self.assignment.lease_number, "reached": length}

    def save(self, length: int) -> None:
        """Report a checkpoint."""
        self.say({"say": "checkpoint", "length": {"batches": length}, "files": [], **self._own(length)})

    def validate(self, length: int, loss: float = 1.0, saved: bool = False) -> None:
        """Report a validation, with a checkpoint or without, and wait for the decision."""
        reference = self._own(length) if saved else None
        self.say(
            {"say": "validation", "length": {"batches": length}, "metrics": {"loss": loss}, "checkpoint": reference}
        )
        self.say({"say": "waiting", "length": {"batches": length}})


class ScriptedLauncher:
    """Launches scripted processes."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.processes: list[ScriptedProcess] = []
        self.closed = False
        self.asked = 0
        self._failure = failure

    async def launch(
        self, assignment: Assignment, heard: Callable[[Message], None], wrote: Callable[[str, str], None]
    ) -> ScriptedProcess:
        self.asked += 1
        await asyncio.sleep(0)
        if self._failure is not None:
            raise self._failure
        self.processes.append(ScriptedProcess(assignment, heard, wrote))
        return self.processes[-1]

    async def close(self) -> None:
        self.closed = True


def granted(
    trial_id: int = 1,
    lease_number: int = 1,
    until: int = 100,
    slots: Sequence[str] = ("0",),
    config: Mapping[str, Any] | None = None,
    **fields: Any,
) -> AllocationGranted:
    """A grant on runner ``a``."""
    return AllocationGranted(
        runner_id="a",
        trial_id=trial_id,
        lease_number=lease_number,
        slots=list(slots),
        config=raw_config(**{"environment": {"environment_variables": ["COLOUR=red"]}, **(config or {})}),
        model_definition=MODEL,
        hyperparameters={"rate": 0.1},
        trial_seed=7,
        train_until=Length.batches(until),
        **fields,
    )


async def fetch(definition: ModelDefinition) -> Path:
    """A model definition that is there already."""
    return Path("/model")


async def turn() -> None:
    """Let everyone do what they can do now."""
    for _ in range(10):
        await asyncio.sleep(0)
