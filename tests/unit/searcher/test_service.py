"""Several searchers on one broker: the work spreads, and goes on when one of them goes."""

import asyncio

from etude.bus import MemoryBroker, MemoryBus
from etude.bus.topology import PARTITIONS, partition_of
from etude.store import SqliteStore
from etude.store.schema import SEARCH_LOG
from etude_searcher.service import SearcherService
from tests.unit.make import NOW, created, envelope, validation


def one_for_each_partition() -> list[str]:
    """Experiment ids, one for each partition."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < PARTITIONS:
        found.setdefault(partition_of(f"exp-{number}"), f"exp-{number}")
        number += 1
    return list(found.values())


EXPERIMENTS = one_for_each_partition()


class Cluster:
    """Searchers that share a store and a broker."""

    def __init__(self) -> None:
        self.store = SqliteStore()
        self.broker = MemoryBroker()
        self.publisher = MemoryBus(self.broker)

    async def searcher(self) -> SearcherService:
        """One more searcher."""
        service = SearcherService(MemoryBus(self.broker), self.store, lambda: NOW)
        await service.start()
        return service

    async def settle(self) -> None:
        """Wait until every event is dealt with."""
        async with asyncio.timeout(10):
            await asyncio.sleep(0)
            while not self.broker.idle:
                await asyncio.sleep(0.001)


def busy(service: SearcherService) -> int:
    return sum(handlers.busy for handlers in service.partitions)


async def test_partitions_spread_over_searchers_and_come_back() -> None:
    cluster = Cluster()
    await cluster.store.open()
    first = await cluster.searcher()
    await cluster.publisher.publish([envelope(created(), experiment_id) for experiment_id in EXPERIMENTS])
    await cluster.settle()
    assert busy(first) == PARTITIONS

    second = await cluster.searcher()
    await first.balance()
    assert busy(first) == PARTITIONS // 2
    await cluster.publisher.publish([envelope(validation(1, 400), experiment_id) for experiment_id in EXPERIMENTS])
    await cluster.settle()
    assert (busy(first), busy(second)) == (PARTITIONS // 2, PARTITIONS // 2)
    await first.balance()
    await second.balance()
    assert (busy(first), busy(second)) == (PARTITIONS // 2, PARTITIONS // 2)

    await first.close()
    await cluster.publisher.publish([envelope(validation(2, 400), experiment_id) for experiment_id in EXPERIMENTS])
    await cluster.settle()
    assert busy(second) == PARTITIONS
    assert await cluster.store.count(SEARCH_LOG, {}) == 3 * PARTITIONS
    await second.close()


async def test_a_lone_searcher_gives_nothing_up() -> None:
    cluster = Cluster()
    await cluster.store.open()
    alone = await cluster.searcher()
    await cluster.publisher.publish([envelope(created(), experiment_id) for experiment_id in EXPERIMENTS])
    await cluster.settle()
    await alone.balance()
    assert busy(alone) == PARTITIONS
    await alone.close()
