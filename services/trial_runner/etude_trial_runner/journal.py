"""Journal: the runner's own log, for people who are not at its machine."""

from collections import deque
from collections.abc import MutableMapping
from typing import Any

import structlog

from etude.events import RunnerLogged, RunnerLogLine
from etude.service.clock import Clock

_MOST_LINES = 1000  # of which the oldest go first, if nobody takes them
_render = structlog.processors.LogfmtRenderer(bool_as_flag=False)
_LEFT_OUT = ("event", "level", "timestamp", "service", "exception")


class Journal:
    """Remembers what is logged until it is taken. A structlog processor.

    Parameters
    ----------
    runner_id, session : whose it is
    """

    def __init__(self, runner_id: str, session: str, clock: Clock) -> None:
        self._runner_id, self._session = runner_id, session
        self._clock = clock
        self._lines: deque[RunnerLogLine] = deque(maxlen=_MOST_LINES)
        self._number = 0

    def __call__(self, _: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Take note of a log entry, and hand it on."""
        fields = {name: value for name, value in entry.items() if name not in _LEFT_OUT and value not in ("", None)}
        told = str(_render(None, "", fields)) if fields else ""
        text = "\n".join(filter(None, (f"{entry.get('event', '')} {told}".rstrip(), entry.get("exception"))))
        self._lines.append(RunnerLogLine(time=self._clock(), level=str(entry.get("level", "info")), text=text))
        return entry

    def take(self) -> RunnerLogged | None:
        """What was logged since this was last called, or None if that is nothing."""
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if not lines:
            return None
        self._number += 1
        return RunnerLogged(runner_id=self._runner_id, session=self._session, number=self._number, lines=lines)
