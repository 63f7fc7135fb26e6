"""After each kind of restart a search goes on within seconds: nothing waits for a timer that repairs what is rare."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import pytest

from etude.events import (
    AllocationEnded,
    AllocationGranted,
    AllocationStarted,
    Envelope,
    TrialClosed,
    TrialContinued,
    TrialPaused,
    TrialRequested,
    ValidationCompleted,
)
from tests.simulation.clock import run_virtually, virtual_now
from tests.simulation.simulate import EXPERIMENTS
from tests.simulation.world import Story, World

RUNNERS = 24  # more than the trials that are ever open, so that nothing waits for slots
MOST = 5.0  # seconds
STRIKES = 6


class Waits(Story):
    """How long reports wait for decisions, trials for slots, and grants for their start."""

    def __init__(self) -> None:
        super().__init__()
        self.over: list[tuple[float, str]] = []
        self._granted: dict[tuple[str, int], int] = {}  # to the lease number
        self._closed: set[tuple[str, int]] = set()  # whose requests are told once more, with others of their decision
        self._since: dict[tuple[str, str, int], datetime] = {}

    def published(self, envelope: Envelope) -> None:
        super().published(envelope)
        match envelope.data:
            case ValidationCompleted(trial_id=trial_id):
                self._begin("report", envelope, trial_id)
            case TrialContinued(trial_id=trial_id) | TrialPaused(trial_id=trial_id) | TrialClosed(trial_id=trial_id):
                for what in ("report", "request", "grant"):
                    self._end(what, envelope, trial_id)
                if isinstance(envelope.data, TrialClosed):
                    self._closed.add((envelope.experiment, trial_id))
            case TrialRequested(trial_id=trial_id) if not self._is_known(envelope.experiment, trial_id):
                self._begin("request", envelope, trial_id)
            case AllocationEnded(trial_id=trial_id, lease_number=lease_number):
                if self._granted.get((envelope.experiment, trial_id)) == lease_number:  # and not told once more
                    del self._granted[envelope.experiment, trial_id]
            case AllocationGranted(trial_id=trial_id, lease_number=lease_number):
                self._granted[envelope.experiment, trial_id] = lease_number
                self._end("request", envelope, trial_id)
                self._begin("grant", envelope, trial_id)
            case AllocationStarted(trial_id=trial_id):
                self._end("grant", envelope, trial_id)

    def _is_known(self, experiment: str, trial_id: int) -> bool:
        return (experiment, trial_id) in self._granted or (experiment, trial_id) in self._closed

    def _begin(self, what: str, envelope: Envelope, trial_id: int) -> None:
        self._since.setdefault((what, envelope.experiment, trial_id), virtual_now())

    def _end(self, what: str, envelope: Envelope, trial_id: int) -> None:
        since = self._since.pop((what, envelope.experiment, trial_id), None)
        if since is not None:
            waited = (virtual_now() - since).total_seconds()
            self.over.append((waited, f"{what} of trial {trial_id} of {envelope.experiment}, {since:%H:%M:%S}"))


async def longest_wait(disturb: Callable[[World], None], every: float) -> tuple[float, str]:
    """The longest wait of three experiments of which something is disturbed again and again."""
    world = World(7, calm=True, runners=RUNNERS)
    world.story = waits = Waits()

    async def go_on() -> None:
        for _ in range(STRIKES):
            await asyncio.sleep(every)
            disturb(world)

    disturbing = asyncio.create_task(go_on())
    await world.run(EXPERIMENTS)
    disturbing.cancel()
    await world.audit()
    assert world.story.crashes > 3
    return max(waits.over)


@pytest.mark.parametrize("part", ["searcher", "scheduler", "metrics", "runner"])
@pytest.mark.parametrize("every", [7.3, 11.9])
def test_nothing_waits_longer_than_seconds_when_a_part_restarts(part: str, every: float) -> None:
    def strike(world: World) -> None:
        for number in range(RUNNERS if part == "runner" else 2):
            world.strike(f"{part}-{number if part == 'runner' else number + 1}")

    waited, what = run_virtually(longest_wait(strike, every))
    assert waited < MOST, what
