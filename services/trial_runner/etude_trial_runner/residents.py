"""Residents: paused trials whose processes rest in memory, so that a promotion need not load a checkpoint."""

import asyncio
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import psutil
import structlog

from etude.events import AllocationGranted
from etude_trial_runner.launcher import TrialProcess
from etude_trial_runner.watch import private_memory

_SHORT = 0.1
_ENDING: set["asyncio.Future[None]"] = set()

log = structlog.get_logger("etude.runner")

Key = tuple[str, int]
"""Experiment and number of a trial."""


@dataclass
class Resident:
    """A trial that rests. Its checkpoint is written: memory is only a cache.

    Attributes
    ----------
    checkpoint : URI of the checkpoint that it would continue from
    slots : where it was; a GPU's process cannot move to another
    promise : of two residents the one with the smaller goes first, if memory gets short
    temporary : its temporary folder
    memory : bytes that it holds, once that was measured
    """

    key: Key
    lease_number: int
    process: TrialProcess
    checkpoint: str
    slots: list[str]
    kind: str
    promise: tuple[float, ...]
    temporary: str
    memory: int = 0

    def fits(self, granted: AllocationGranted) -> bool:
        """Can it continue what was granted?"""
        return (
            self.process.alive
            and granted.gang is None
            and granted.checkpoint is not None
            and granted.checkpoint.uri == self.checkpoint
            and (self.kind != "cuda" or granted.slots == self.slots)
        )


@dataclass
class Residents:
    """Those of one machine, within a budget of memory.

    Parameters
    ----------
    budget : bytes that they may hold together; 0 for none at all
    measure : bytes that processes hold for themselves
    """

    budget: int
    measure: Callable[[Iterable[int]], int] = private_memory
    _resting: dict[Key, Resident] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._resting)

    async def add(self, resident: Resident) -> None:
        """Let a trial rest, and evict the least promising if they are too many."""
        resident.process.suspend()
        self._resting[resident.key] = resident
        resident.memory = await asyncio.to_thread(self.measure, [resident.process.pid])
        while sum(one.memory for one in self._resting.values()) > self.budget:
            self.evict()

    def evict(self) -> None:
        """End the least promising."""
        if self._resting:
            key = min(self._resting, key=lambda key: self._resting[key].promise)
            log.info("a resting trial is evicted", experiment_id=key[0], trial_id=key[1])
            self.drop(key)

    def take(self, key: Key) -> Resident | None:
        """The trial, if it rests here; whoever takes it wakes or ends it."""
        return self._resting.pop(key, None)

    def drop(self, key: Key, lease_number: int | None = None) -> None:
        """End a resting trial, if it is there (under that lease)."""
        resident = self._resting.get(key)
        if resident is not None and lease_number in (None, resident.lease_number):
            del self._resting[key]
            end(resident)

    def clear(self) -> None:
        """End all."""
        for key in list(self._resting):
            self.drop(key)


def end(resident: Resident) -> None:
    """End a trial that rests."""

    async def until_gone() -> None:
        await resident.process.wait()
        shutil.rmtree(resident.temporary, ignore_errors=True)

    resident.process.kill()
    ending = asyncio.ensure_future(until_gone())
    _ENDING.add(ending)
    ending.add_done_callback(_ENDING.discard)


def memory_is_short() -> bool:
    """Has the machine little memory left?"""
    memory = psutil.virtual_memory()
    return bool(memory.available < memory.total * _SHORT)
