"""Silence: for how long nothing was heard about a search, and whether that is longer than usual. Pure."""

from datetime import datetime, timedelta


class Silence:
    """Says when the state of a search is to be published again, because no event has come for too long.

    Whoever waits for a search to go on waits for an event that may have been lost with a broker. How long trials take
    to report is learned from the search itself: the state is published again after ``shortest``, or twice the longest
    time between two events so far if that is more; then at intervals that double, up to ``longest``.

    Parameters
    ----------
    now : when the first event came
    """

    def __init__(self, now: datetime, shortest: timedelta, longest: timedelta) -> None:
        self._shortest, self._longest = shortest, longest
        self._usual = timedelta(0)
        self._last_event = now
        self._interval = shortest
        self._due = now + shortest

    def record_event(self, now: datetime) -> None:
        """Record that an event has come."""
        self._usual = max(self._usual, now - self._last_event)
        self._last_event = now
        self._interval = min(max(self._shortest, 2 * self._usual), self._longest)
        self._due = now + self._interval

    def take_due(self, now: datetime) -> bool:
        """Is the state to be published now? If so, the next time is later."""
        if now < self._due:
            return False
        self._interval = min(2 * self._interval, self._longest)
        self._due = now + self._interval
        return True
