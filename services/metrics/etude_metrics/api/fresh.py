"""Fresh: what many ask for at once is asked for once, and not again for a moment."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")
_MOST = 1000


class Fresh(Generic[T]):
    """Values by key, none older than so many seconds.

    Parameters
    ----------
    seconds : for so long a value counts as new; with 0, only who asks while it is being asked for gets the same
    clock : seconds
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._found: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()
        self._asking: dict[Hashable, asyncio.Task[T]] = {}

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """The value, asked for now or a moment ago."""
        found = self._found.get(key)
        if found is not None and self._clock() - found[0] < self._seconds:
            return found[1]
        if key not in self._asking:
            self._asking[key] = asyncio.create_task(self._ask(key, ask))
        return await asyncio.shield(self._asking[key])

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
