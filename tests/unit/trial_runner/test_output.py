"""What a process writes becomes lines, as a terminal would show them in the end."""

import pytest

from etude_trial_runner.output import OutputLines


def lines(*chunks: bytes, seconds: float = 0.0) -> list[str]:
    """The lines of chunks that come ``seconds`` apart."""
    output = OutputLines(0.0)
    found = [line for number, chunk in enumerate(chunks, 1) for line in output.feed(chunk, number * seconds)]
    return [*found, *output.end()]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"one\ntwo\n"], ["one", "two"]),
        ([b"o", b"ne\ntw", b"o"], ["one", "two"]),
        ([b"dos\r\n", b"split\r", b"\n"], ["dos", "split"]),
        ([b"\n\n"], ["", ""]),
        ([b"10%\r20%\r100%\ndone\n"], ["100%", "done"]),
        ([b"\r10%", b"\r20%", b"\r100%", b"\n"], ["100%"]),
        ([b"10%\r", b"20%\r", b"100%\r"], ["100%"]),
        ([b"bad \xff utf8\n"], ["bad � utf8"]),
        ([b"caf\xc3", b"\xa9\n"], ["café"]),
        ([], []),
    ],
)
def test_lines_are_what_a_terminal_shows(chunks: list[bytes], expected: list[str]) -> None:
    assert lines(*chunks) == expected


def test_a_line_without_end_is_cut() -> None:
    found = lines(*[b"x" * 60_000] * 5)
    assert sum(map(len, found)) == 300_000
    assert max(map(len, found)) <= 130_000


def test_a_progress_bar_that_takes_long_is_shown_on_the_way() -> None:
    found = lines(*[f"\r{percent}%".encode() for percent in range(10)], b"\n", seconds=4.0)
    assert found == ["1%", "4%", "7%", "9%"]
