"""Output: the lines of what a process writes, as a terminal would show them in the end."""

from collections.abc import Iterator

_LONGEST = 64 * 2**10
_PROGRESS_SECONDS = 10.0


class OutputLines:
    """Cuts the bytes of one stream into lines.

    What comes after a carriage return takes the place of what came before it, as progress bars want it; while such a
    line grows, it is shown every few seconds. A line without end is cut. What is no UTF-8 is replaced.

    Parameters
    ----------
    now : seconds on a clock that never goes back
    """

    def __init__(self, now: float) -> None:
        self._rest = b""
        self._shown_at = now

    def feed(self, chunk: bytes, now: float) -> Iterator[str]:
        """The lines that are whole with this chunk, without their ends."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        if lines:
            self._shown_at = now
        for line in lines:
            yield _text(line)
        before, carriage, latest = rest.rpartition(b"\r")
        if carriage:
            if before and now - self._shown_at >= _PROGRESS_SECONDS:
                self._shown_at = now
                yield _text(before)
            rest = latest or _shown(before) + b"\r"
        if len(rest) > _LONGEST:
            yield _text(rest)
            rest = b""
        self._rest = rest

    def end(self) -> Iterator[str]:
        """The last line, if it has no end."""
        if self._rest:
            yield _text(self._rest)
            self._rest = b""


def _text(line: bytes) -> str:
    return _shown(line).decode("utf-8", "replace")


def _shown(line: bytes) -> bytes:
    """What is left on a terminal of text with carriage returns."""
    return line.rstrip(b"\r").rpartition(b"\r")[2]
