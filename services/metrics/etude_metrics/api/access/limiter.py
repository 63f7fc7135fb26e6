"""Limiter: how often somebody may ask. Pure but for its memory; time is an argument."""

from collections import OrderedDict

_MOST = 10_000  # of those that are remembered; who was longest silent is forgotten first, and begins anew


class Limiter:
    """A bucket of permissions for each key, filled at an even rate (a token bucket).

    Parameters
    ----------
    rate : permissions a second
    burst : the most that are saved up

    >>> limiter = Limiter(rate=1.0, burst=2)
    >>> [limiter.wait("ada", now) for now in (0.0, 0.0, 0.0, 1.0)]
    [0.0, 0.0, 1.0, 0.0]
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, key: str, now: float) -> float:
        """Takes a permission, and returns 0; or the seconds after which there will be one."""
        left = self.left(key, now)
        granted = left >= 1
        self._left[key] = (left - granted, now)
        self._left.move_to_end(key)
        while len(self._left) > _MOST:
            self._left.popitem(last=False)
        return 0.0 if granted else (1 - left) / self._rate

    def left(self, key: str, now: float) -> float:
        """How many permissions there are now."""
        left, then = self._left.get(key, (float(self._burst), now))
        return min(self._burst, left + (now - then) * self._rate)
