"""Cache: what takes long to make is made once for each version of an experiment, and kept within a budget."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

_BUDGET = 64 * 2**20
_SHARE = 10  # what took a second to make is not made again within ten


@dataclass(frozen=True)
class _Entry:
    version: int
    body: bytes
    made_at: float
    cost: float


class Cache:
    """Bytes by key. While a newer version is made too often, the one before is given.

    Parameters
    ----------
    budget : bytes that are kept; those that were not asked for longest go first
    clock : seconds
    """

    def __init__(self, budget: int = _BUDGET, clock: Callable[[], float] = time.monotonic) -> None:
        self._budget = budget
        self._clock = clock
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._making: dict[Hashable, asyncio.Task[bytes]] = {}

    async def get(self, key: Hashable, version: int, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """What was made for this version, or for the one before if it is not time for another yet.

        Parameters
        ----------
        make : makes it; whoever asks at the same time waits for the same
        """
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            if entry.version >= version or self._clock() - entry.made_at < entry.cost * _SHARE:
                return entry.body
        if key not in self._making:
            self._making[key] = asyncio.create_task(self._make(key, version, make))
        return await asyncio.shield(self._making[key])

    async def _make(self, key: Hashable, version: int, make: Callable[[], Awaitable[bytes]]) -> bytes:
        began = self._clock()
        try:
            body = await make()
        finally:
            del self._making[key]
        ended = self._clock()
        self._entries[key] = _Entry(version, body, ended, ended - began)
        self._entries.move_to_end(key)
        while sum(len(entry.body) for entry in self._entries.values()) > self._budget and len(self._entries) > 1:
            self._entries.popitem(last=False)
        return body
