"""The agent: carries out grants once, lists what runs, and tells endings to whoever asks again."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from etude.bus import MemoryBroker, MemoryBus
from etude.bus.topology import scheduler_pool
from etude.events import (
    AllocationEnded,
    AllocationExtended,
    AllocationReleased,
    AllocationRevoked,
    AllocationStarted,
    CheckpointReference,
    EndReason,
    Envelope,
    Event,
    Length,
    RunnerDraining,
    RunnerHeartbeat,
    RunnerJoined,
    RunnerLeft,
    Slot,
    ValidationCompleted,
)
from etude_trial_runner.agent import Agent, Machine
from etude_trial_runner.departure import Departure
from etude_trial_runner.outbox import Outbox
from etude_trial_runner.spool import Spool
from tests.unit.make import NOW, envelope
from tests.unit.trial_runner.doubles import ScriptedLauncher, fetch, granted


class Station:
    """An agent on a broker of its own."""

    def __init__(self, kind: str = "cpu", memory: int = 2**50) -> None:
        self.refusing = ""
        self.broker = MemoryBroker()
        self.bus = MemoryBus(self.broker)
        self.launcher = ScriptedLauncher()
        slots = [Slot(id=str(number), kind=kind) for number in range(2)]
        machine = Machine(
            "a",
            "1",
            slots,
            "file:///storage",
            labels=["big"],
            heartbeat=0.02,
            resident_memory=memory,
            refusing=lambda: self.refusing,
        )
        self.agent = Agent(machine, self.bus, Outbox(self.bus, Spool()), self.launcher, fetch, lambda: NOW)
        self.told: list[Event] = []

    async def order(self, *events: Event) -> None:
        """What the scheduler says."""
        await self.bus.publish([envelope(event) for event in events])

    def hear(self) -> list[Event]:
        """All that the agent has told the scheduler."""
        ready = self.broker.queues[scheduler_pool().name].ready
        self.told += [Envelope.parse(ready.popleft().body).data for _ in range(len(ready))]
        return self.told

    async def wait_for(self, kind: type[Event], count: int = 1) -> list[Event]:
        """Wait until so many events of a kind were told."""
        async with asyncio.timeout(5):
            while len(found := [event for event in self.hear() if isinstance(event, kind)]) < count:
                await asyncio.sleep(0.002)
        return found


@pytest.fixture
async def station() -> AsyncIterator[Station]:
    made = Station()
    await made.agent.start()
    yield made
    await made.agent.close()


async def test_it_joins_with_its_slots_and_beats(station: Station) -> None:
    [joined] = await station.wait_for(RunnerJoined)
    assert isinstance(joined, RunnerJoined)
    assert (joined.runner_id, joined.session, len(joined.slots), joined.labels) == ("a", "1", 2, ["big"])
    heartbeats = await station.wait_for(RunnerHeartbeat, 2)
    assert heartbeats[0].running == []  # type: ignore[attr-defined]


async def test_a_grant_that_comes_twice_is_carried_out_once(station: Station) -> None:
    await station.order(granted(), granted(until=300))
    await station.wait_for(AllocationStarted)
    assert len(station.launcher.processes) == 1
    assert station.launcher.processes[0].told == [{"do": "extend", "train_until": {"batches": 300}}]
    async with asyncio.timeout(5):
        while True:
            *_, heartbeat = await station.wait_for(RunnerHeartbeat)
            if heartbeat.running:  # type: ignore[attr-defined]
                break
    [running] = heartbeat.running  # type: ignore[attr-defined]
    assert (running.trial_id, running.lease_number, running.train_until) == (1, 1, Length.batches(300))


async def test_orders_reach_the_trial_that_they_are_for(station: Station) -> None:
    ids = {"runner_id": "a", "lease_number": 1}
    await station.order(granted(1), granted(2))
    await station.wait_for(AllocationStarted, 2)
    first, second = station.launcher.processes
    await station.order(
        AllocationExtended(trial_id=1, train_until=Length.batches(300), **ids),
        AllocationReleased(trial_id=2, **ids),
        AllocationRevoked(trial_id=3, kill=True, **ids),  # which is not here
    )
    async with asyncio.timeout(5):
        while not second.told:
            await asyncio.sleep(0.002)
    assert first.told == [{"do": "extend", "train_until": {"batches": 300}}]
    assert second.told == [{"do": "stop"}]
    second.exit(0)
    [ended] = await station.wait_for(AllocationEnded)
    assert (ended.trial_id, ended.reason) == (2, EndReason.RELEASED)  # type: ignore[attr-defined]


async def test_a_lease_that_ended_is_not_begun_again_but_its_ending_told_again(station: Station) -> None:
    await station.order(granted())
    await station.wait_for(AllocationStarted)
    station.launcher.processes[0].exit(1)
    await station.wait_for(AllocationEnded)
    await station.order(granted())
    first, second = await station.wait_for(AllocationEnded, 2)
    assert first == second
    assert len(station.launcher.processes) == 1


async def test_a_new_lease_of_a_trial_kills_the_old_one(station: Station) -> None:
    await station.order(granted(lease_number=1))
    await station.wait_for(AllocationStarted)
    await station.order(granted(lease_number=2))
    await station.wait_for(AllocationStarted, 2)
    assert [process.killed for process in station.launcher.processes] == [True, False]


async def test_draining_does_not_wait_for_a_broker_that_is_away(station: Station, monkeypatch) -> None:
    monkeypatch.setattr("etude_trial_runner.agent._TELL_SECONDS", 0.02)
    await station.order(granted())
    await station.wait_for(AllocationStarted)
    [process] = station.launcher.processes
    process.say({"say": "training", "length": {"batches": 7}, "metrics": {}})

    async def publish(envelopes: object) -> list[Envelope]:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(station.bus, "publish", publish)
    draining = asyncio.create_task(station.agent.drain())
    async with asyncio.timeout(5):
        while not process.told:
            await asyncio.sleep(0.002)
    process.save(7)
    process.exit(0)
    assert await asyncio.wait_for(draining, 5) == [Departure(1, 7, 7, "batches")]


async def test_draining_stops_what_runs_and_leaves(station: Station) -> None:
    await station.order(granted())
    await station.wait_for(AllocationStarted)
    draining = asyncio.create_task(station.agent.drain())
    await station.wait_for(RunnerDraining)
    [process] = station.launcher.processes
    async with asyncio.timeout(5):
        while not process.told:
            await asyncio.sleep(0.002)
    process.exit(0)
    await asyncio.wait_for(draining, 5)
    ended, left = [e for e in station.hear() if isinstance(e, AllocationEnded | RunnerLeft)]
    assert isinstance(ended, AllocationEnded)
    assert ended.reason is EndReason.PREEMPTED
    assert isinstance(left, RunnerLeft)


async def test_a_trial_that_ended_by_the_same_signal_a_moment_before_is_told_of(station: Station) -> None:
    await station.order(granted(1), granted(2))
    await station.wait_for(AllocationStarted, 2)
    for process, length in zip(station.launcher.processes, (7, 8), strict=True):
        process.say({"say": "interrupted", "signal": "SIGTERM"})
        process.save(length)
        process.exit(0)
    await station.wait_for(AllocationEnded, 2)
    await station.order(granted(2, lease_number=2))
    await station.wait_for(AllocationStarted, 3)
    draining = asyncio.create_task(station.agent.drain())
    await station.wait_for(RunnerDraining)
    station.launcher.processes[2].exit(0)
    first, second = await asyncio.wait_for(draining, 5)
    assert first == Departure(1, 7, 7, "batches")
    assert second.trial_id == 2, "once, although it was interrupted before"


async def test_closing_kills_everything(station: Station) -> None:
    await station.order(granted())
    await station.wait_for(AllocationStarted)
    await station.agent.close()
    assert station.launcher.processes[0].killed
    assert station.launcher.closed


async def test_a_gpu_is_not_used_before_the_process_that_leaves_it_is_gone() -> None:
    station = Station(kind="cuda")
    await station.agent.start()
    await station.order(granted(1))
    await station.wait_for(AllocationStarted)
    released = AllocationReleased(runner_id="a", trial_id=1, lease_number=1)
    await station.order(released, granted(2), granted(3, slots=["1"]))
    await station.wait_for(AllocationStarted, 2)
    first, other = station.launcher.processes
    assert other.assignment.trial_id == 3
    first.exit(0)
    await station.wait_for(AllocationStarted, 3)
    assert station.launcher.processes[2].assignment.trial_id == 2
    await station.agent.close()


async def test_heartbeats_say_who_was_told_to_end(station: Station) -> None:
    await station.order(granted(1))
    await station.wait_for(AllocationStarted)
    await station.order(AllocationReleased(runner_id="a", trial_id=1, lease_number=1))
    async with asyncio.timeout(5):
        while not any(e.running and e.running[0].stopping for e in station.hear() if isinstance(e, RunnerHeartbeat)):
            await asyncio.sleep(0.005)


async def rested(station: Station) -> None:
    """Trial 1 has reached its target, and is paused."""
    await station.order(granted(1))
    await station.wait_for(AllocationStarted)
    station.launcher.processes[0].validate(100, saved=True)
    await station.order(AllocationReleased(runner_id="a", trial_id=1, lease_number=1, paused=True))


SAVED = "file:///storage/checkpoints/exp/1/1-100"
PROMOTED = granted(1, 2, until=300, checkpoint=CheckpointReference(uri=SAVED, length=100))


async def test_a_paused_trial_rests_and_its_promotion_wakes_it(station: Station) -> None:
    await rested(station)
    [ended] = await station.wait_for(AllocationEnded)
    assert (ended.reason, ended.resident) == (EndReason.RELEASED, True)  # type: ignore[attr-defined]
    [process] = station.launcher.processes
    assert process.suspended
    await station.order(PROMOTED)
    await station.wait_for(AllocationStarted, 2)
    assert station.launcher.processes == [process], "nothing was launched"
    assert not process.suspended
    assert process.told[-1] == {"do": "resume", "lease_number": 2, "train_until": {"batches": 300}}
    process.validate(300, saved=True)
    [_, second] = await station.wait_for(ValidationCompleted, 2)
    assert second.lease_number == 2  # type: ignore[attr-defined]


async def test_a_trial_that_was_evicted_begins_from_its_checkpoint(station: Station) -> None:
    await rested(station)
    await station.wait_for(AllocationEnded)
    await station.order(AllocationRevoked(runner_id="a", trial_id=1, lease_number=1, kill=True))
    await station.order(PROMOTED)
    await station.wait_for(AllocationStarted, 2)
    first, second = station.launcher.processes
    assert first.killed
    assert second.assignment.checkpoint is not None


async def test_a_promotion_that_comes_with_the_pause_is_carried_out(station: Station) -> None:
    await station.order(granted(1))
    await station.wait_for(AllocationStarted)
    station.launcher.processes[0].validate(100, saved=True)
    released = AllocationReleased(runner_id="a", trial_id=1, lease_number=1, paused=True)
    await station.order(released, PROMOTED)
    await station.wait_for(AllocationStarted, 2)
    assert sum(not process.killed for process in station.launcher.processes) == 1


async def test_without_memory_for_that_a_paused_trial_ends() -> None:
    station = Station(memory=0)
    await station.agent.start()
    await rested(station)
    async with asyncio.timeout(5):
        while {"do": "stop"} not in station.launcher.processes[0].told:
            await asyncio.sleep(0.002)
    await station.agent.close()


async def test_a_trial_that_is_over_does_not_rest(station: Station) -> None:
    await station.order(granted(1))
    await station.wait_for(AllocationStarted)
    station.launcher.processes[0].validate(100, saved=True)
    await station.order(AllocationReleased(runner_id="a", trial_id=1, lease_number=1))
    async with asyncio.timeout(5):
        while {"do": "stop"} not in station.launcher.processes[0].told:
            await asyncio.sleep(0.002)


async def test_a_machine_that_is_too_full_says_so_in_its_heartbeats(station: Station) -> None:
    station.refusing = "the disk is full"
    async with asyncio.timeout(5):
        while not any(isinstance(e, RunnerHeartbeat) and e.refusing == "the disk is full" for e in station.hear()):
            await asyncio.sleep(0.005)
