"""Processes of one trial agree; threads stand in for them, on a real store."""

import threading
from collections.abc import Callable
from typing import Any

from etude.core.distributed import Distributed
from etude_trial_runner.meeting import MeetingPlace
from tests.unit.make import assignment


def together(act: Callable[[Distributed], Any], size: int = 3) -> list[Any]:
    """What each process returns, by rank."""
    meeting = MeetingPlace("127.0.0.1")
    results: list[Any] = [None] * size

    def live(rank: int) -> None:
        place = {"rank": rank, "size": size, "local_rank": rank, "local_size": size}
        told = assignment(rendezvous=meeting.rendezvous, **place)
        results[rank] = act(Distributed.of(told))

    threads = [threading.Thread(target=live, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    meeting.close()
    return results


def test_the_first_process_decides_for_all() -> None:
    assert together(lambda d: [d.decide(lambda n=n: (d.rank, n)) for n in range(5)]) == [[(0, n) for n in range(5)]] * 3


def test_the_first_process_hears_of_all() -> None:
    assert together(lambda d: d.gather({"rank": d.rank})) == [[{"rank": 0}, {"rank": 1}, {"rank": 2}], [], []]


def test_nobody_passes_a_barrier_before_all_are_there() -> None:
    arrived: list[int] = []

    def act(distributed: Distributed) -> int:
        arrived.append(distributed.rank)
        distributed.barrier()
        return len(arrived)

    assert together(act) == [3, 3, 3]


def test_what_was_agreed_upon_leaves_nothing_behind() -> None:
    def act(distributed: Distributed) -> int:
        for _ in range(20):
            distributed.broadcast("x")
            distributed.gather("y")
        distributed.barrier()
        return int(distributed.store.num_keys())

    assert together(act)[0] < 10


def test_one_process_asks_nobody() -> None:
    alone = Distributed()
    assert (alone.decide(lambda: 5), alone.broadcast(6), alone.gather(7)) == (5, 6, [7])
    alone.barrier()
