"""Fresh: what many ask for at once is asked for once, and not again for a moment."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from etude_metrics.api.eager import eager
from etude_metrics.api.pace import Pace

T = TypeVar("T")
_MOST = 1000
_OLDEST_SECONDS = 2.0  # that a value may be in spite of all patience


class Fresh(Generic[T]):
    """Values by key, none older than they may be unless asking takes long.

    Parameters
    ----------
    pace : for how long a value counts as new; by default, only who asks while it is being asked for gets the same.
        And how long to wait for a newer value where there is one that is not much older
    clock : seconds
    """

    def __init__(self, pace: Pace, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = pace.known_seconds
        self._patience = pace.patience
        self._clock = clock
        self._found: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()
        self._asking: dict[Hashable, asyncio.Task[T]] = {}

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """The value, asked for now or a moment ago."""
        found = self._found.get(key)
        age = self._clock() - found[0] if found is not None else _OLDEST_SECONDS
        if found is not None and age < self._seconds and not eager.get():
            return found[1]
        if key not in self._asking:
            self._asking[key] = asyncio.create_task(self._ask(key, ask))
            self._asking[key].add_done_callback(_notice)
        asking = self._asking[key]
        if found is not None and self._patience is not None and age < _OLDEST_SECONDS and not eager.get():
            await asyncio.wait([asking], timeout=self._patience)
            if not asking.done():
                return found[1]
        return await asyncio.shield(asking)

    async def _ask(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        began = self._clock()
        try:
            value = await ask()
        finally:
            del self._asking[key]
        if self._seconds:
            self._found[key] = (began, value)
            self._found.move_to_end(key)
            while len(self._found) > _MOST:
                self._found.popitem(last=False)
        return value


def _notice(asked: "asyncio.Task[T]") -> None:
    """Whoever still waits is told of an error; if nobody does, the next one who asks is."""
    if not asked.cancelled():
        asked.exception()
