"""Cache: what takes long to make is made once for each version of an experiment, and kept within a budget."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from etude_metrics.api.answers import Body
from etude_metrics.api.eager import eager

_BUDGET = 32 * 2**20
_LONGEST_REST = 10.0
"""Seconds: what once took very long, on a busy machine or for the first time, does not stay old for minutes."""


@dataclass(frozen=True)
class _Entry:
    version: int
    body: Body
    made_at: float
    cost: float


class Cache:
    """Bodies of answers by key. While a newer version takes long, or is made too often, the one before is given.

    Parameters
    ----------
    rest : what took a second to make is not made again within so many
    patience : seconds to wait for a newer version where there is an older one; by default, as long as it takes
    budget : bytes that are kept; those that were not asked for longest go first
    clock : seconds
    """

    def __init__(
        self,
        rest: float,
        patience: float | None = None,
        budget: int = _BUDGET,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rest = rest
        self._patience = patience
        self._budget = budget
        self._clock = clock
        self._size = 0
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._making: dict[Hashable, tuple[int, asyncio.Task[Body]]] = {}

    async def get(self, key: Hashable, version: int, make: Callable[[], Awaitable[Body]]) -> Body:
        """What was made for this version; or what was made before, with a word that it is old, if that is sooner there.

        Whoever is eager gets nothing old.

        Parameters
        ----------
        make : makes it; whoever asks at the same time gets the same
        """
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            if entry.version >= version:
                return entry.body
            rest = min(entry.cost * self._rest, _LONGEST_REST)
            if self._clock() - entry.made_at < rest and not eager.get():
                return entry.body.aged()
        made, making = self._begin(key, version, make)
        while eager.get() and made < version:
            await asyncio.wait([making])
            made, making = self._begin(key, version, make)
        if entry is None or self._patience is None or eager.get():
            await asyncio.shield(making)
        else:
            await asyncio.wait([making], timeout=self._patience)
            if not making.done():
                return entry.body.aged()
        return making.result() if made >= version else making.result().aged()

    def _begin(
        self, key: Hashable, version: int, make: Callable[[], Awaitable[Body]]
    ) -> tuple[int, asyncio.Task[Body]]:
        """What is being made, or from now on; and for which version."""
        if key not in self._making:
            self._making[key] = (version, asyncio.create_task(self._make(key, version, make)))
        return self._making[key]

    async def _make(self, key: Hashable, version: int, make: Callable[[], Awaitable[Body]]) -> Body:
        began = self._clock()
        try:
            body = await make()
        finally:
            del self._making[key]
        ended = self._clock()
        before = self._entries.pop(key, None)
        self._size += len(body.data) - (len(before.body.data) if before else 0)
        self._entries[key] = _Entry(version, body, ended, ended - began)
        while self._size > self._budget and len(self._entries) > 1:
            _, gone = self._entries.popitem(last=False)
            self._size -= len(gone.body.data)
        return body
