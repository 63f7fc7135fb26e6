"""Watch: ends a trial that takes more memory than it may, or says nothing for too long."""

import asyncio
import time
from collections.abc import Callable, Iterable

import psutil

_INTERVAL_SECONDS = 0.5


class Watch:
    """Looks at the processes of one trial every now and then.

    Parameters
    ----------
    pids : says the numbers of its processes; their descendants count, too
    memory : bytes that they may hold together, beside what they share with others; None for no limit
    silence : seconds after which a trial that trains must have said something; None for no limit
    exceeded : is told once, in words, which limit was exceeded
    """

    def __init__(
        self,
        pids: Callable[[], Iterable[int]],
        memory: int | None,
        silence: float | None,
        exceeded: Callable[[str], None],
    ) -> None:
        self._pids = pids
        self._memory = memory
        self._silence = silence
        self._exceeded = exceeded
        self._heard_at: float | None = time.monotonic()

    def heard(self) -> None:
        """It said something."""
        self._heard_at = time.monotonic()

    def rest(self) -> None:
        """It waits for a decision, and has nothing to say."""
        self._heard_at = None

    async def keep(self) -> None:
        """Watch until a limit is exceeded."""
        if self._memory is None and self._silence is None:
            return
        while (reason := await self._look()) is None:
            await asyncio.sleep(_INTERVAL_SECONDS)
        self._exceeded(reason)

    async def _look(self) -> str | None:
        if self._silence is not None and self._heard_at is not None:
            silent = time.monotonic() - self._heard_at
            if silent > self._silence:
                return (
                    f"no report for {silent:.0f} s, and environment.report_timeout is {self._silence:g} s: "
                    "the trial hangs, or its scheduling_unit takes longer than that"
                )
        if self._memory is not None:
            held = await asyncio.to_thread(private_memory, self._pids())
            if held > self._memory:
                return (
                    f"the trial holds {held / 2**20:,.0f} MiB, and environment.memory_limit is "
                    f"{self._memory / 2**20:,.0f} MiB"
                )
        return None


def private_memory(pids: Iterable[int]) -> int:
    """Bytes that processes and their descendants hold and share with nobody."""
    total = 0
    for pid in pids:
        try:
            parent = psutil.Process(pid)
            family = [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        for process in family:
            try:
                total += process.memory_full_info().uss
            except psutil.Error:  # it is gone
                continue
    return total
