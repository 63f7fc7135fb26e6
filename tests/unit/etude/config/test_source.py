"""The text of a configuration, within bounds."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.config import ConfigError, loads
from etude.config.source import LONGEST, SourceError, read

BASE = "entrypoint: python train.py\nsearcher: {name: single, metric: loss, max_length: 1}\n"


def nested(aliases: int, levels: int) -> str:
    """Lists of aliases of lists of aliases: a few bytes for each level, and a power of values."""
    lines = [f"  x{level + 1}: &x{level + 1} [{', '.join([f'*x{level}'] * aliases)}]" for level in range(levels)]
    return "\n".join(["data:", "  x0: &x0 [1, 2]", *lines])


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("data: &a {b: *a}", 1, "has an alias within what it stands for"),
        ("data:\n  &a {<<: *a}", 2, "has an alias within what it stands for"),
        ("data: [1,\n  &a [1, [*a]]]", 2, "has an alias within what it stands for"),
        (nested(aliases=9, levels=9), 7, "stands for more than 100,000 values, with its aliases"),
        (nested(aliases=1, levels=60), 51, "nests deeper than 50 levels"),
        ("data: " + 500 * "[" + 500 * "]", None, "nests deeper than 50 levels"),
        ("data: " + 60 * "[" + 60 * "]", 1, "nests deeper than 50 levels"),
        ("a: 1\n? [a, b]\n: 2", 2, "has a list or a mapping for a name"),
        ("a: 1\nb: {c: 1", 2, "is not YAML: expected ',' or '}', but got '<stream end>'"),
        ("a: 1\na: 2", 2, 'is not YAML: found duplicate key "a" with value "2" (original value: "1")'),
        ("a: 1\nb: !!python/object:os.system {}", 2, "is not YAML: could not determine a constructor for the tag"),
        ("a: " + LONGEST * "x", None, "is longer than 256 KiB"),
    ],
)
def test_what_is_out_of_bounds_is_refused_with_its_line(text: str, line: int | None, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        read(text)
    problem = caught.value.problem
    assert problem.message.startswith(message)
    assert problem.line == line


def test_aliases_and_merges_are_resolved() -> None:
    values, lines = read("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\nc: [*a, *a]")
    assert values == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": [{"x": 1, "y": 2}] * 2}
    assert (lines[()], lines["b", "y"], lines["c", 1]) == (1, 4, 1)


def test_an_empty_text_has_no_value() -> None:
    assert read("") == (None, {})


@given(st.text(alphabet="ab&*<>:{}[]!?-,.#|'\"%@ \n\t0129~é\0", max_size=60))
def test_no_text_does_anything_but_load_or_be_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):
        loads(text)
    with contextlib.suppress(ConfigError):
        loads(BASE + text)
