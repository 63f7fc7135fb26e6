"""Distributed: the processes of one trial, and what they must agree on."""

import pickle
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from etude.core.assignment import Assignment

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

T = TypeVar("T")
_FOREVER = timedelta(days=3650)


class Distributed:
    """One of the processes of a trial that trains on several slots, a process each; mostly there is just one.

    What all must do alike (how far to train, when to stop) the first process decides, and the others ask it. So every
    process makes the same calls in the same order.

    Attributes
    ----------
    rank, size : number of this process, from 0, and how many there are
    local_rank, local_size : the same on this machine alone
    """

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0, local_size: int = 1) -> None:
        self.rank, self.size = rank, size
        self.local_rank, self.local_size = local_rank, local_size
        self._store: Store | None = None
        self._calls = 0

    @classmethod
    def of(cls, assignment: Assignment) -> "Distributed":
        """The processes of an assignment; connects to where they meet."""
        a = assignment
        made = cls(a.rank, a.size, a.local_rank, a.local_size)
        if a.size > 1:
            from torch._C._distributed_c10d import TCPStore

            host, _, port = a.rendezvous.rpartition(":")
            made._store = TCPStore(host, int(port), is_master=False, timeout=_FOREVER)
        return made

    @property
    def chief(self) -> bool:
        """Is this the process that decides, reports and saves?"""
        return self.rank == 0

    @property
    def store(self) -> "Store":
        """Where the processes meet, for ``torch.distributed.init_process_group(store=...)``."""
        assert self._store is not None, "a trial of one process meets nobody"
        return self._store

    def decide(self, decision: Callable[[], T]) -> T:
        """What the first process decides; the others wait for it."""
        if self.size == 1:
            return decision()
        return self.broadcast(decision() if self.chief else None)  # type: ignore[return-value]

    def broadcast(self, value: T) -> T:
        """The value that the first process gave."""
        if self._store is None:
            return value
        key = self._key()
        if self.chief:
            self._store.set(key, pickle.dumps(value))  # type: ignore[arg-type]
            return value
        value = pickle.loads(self._store.get(key))  # written by our own process on the other side
        if self._store.add(f"{key}/read", 1) == self.size - 1:
            self._store.delete_key(key)
            self._store.delete_key(f"{key}/read")
        return value

    def gather(self, value: T) -> list[T]:
        """The values of all processes by rank, in the first one; nothing in the others."""
        if self._store is None:
            return [value]
        key = self._key()
        if not self.chief:
            self._store.set(f"{key}/{self.rank}", pickle.dumps(value))  # type: ignore[arg-type]
            return []
        values: list[Any] = [value]
        for rank in range(1, self.size):
            values.append(pickle.loads(self._store.get(f"{key}/{rank}")))
            self._store.delete_key(f"{key}/{rank}")
        return values

    def barrier(self) -> None:
        """Wait until all processes are here."""
        self.gather(None)
        self.broadcast(None)

    def _key(self) -> str:
        self._calls += 1
        return f"etude/{self._calls}"
