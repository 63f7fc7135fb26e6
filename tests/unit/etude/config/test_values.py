"""What a configuration may hold, whether it comes as text or as values."""

import contextlib
import copy
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.config import ConfigError, parse
from etude.config.source import read
from etude.config.values import TooLargeError, unstorable

BASE: dict[str, Any] = {
    "entrypoint": "python train.py",
    "searcher": {"name": "single", "metric": "loss", "max_length": 1},
}


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"hyperparameters": {"a": 2**70}}, "hyperparameters.a", "a whole number of more than 64 bits"),
        ({"hyperparameters": {"a": 10**400}}, "hyperparameters.a", "a whole number of more than 64 bits"),
        ({"hyperparameters": {"a": math.nan}}, "hyperparameters.a", "nan cannot be sent or stored"),
        ({"data": {"x": [1, "a\0b"]}}, "data.x.1", "has a NUL"),
        ({"name": "a\ud800b"}, "name", "has half a character"),
        ({"data": {"x": {"a\0": 1}}}, "data.x", "a name in it has a NUL"),
        ({"entrypoint": "python 'train.py"}, "entrypoint", "cannot be split into words: No closing quotation"),
        ({"entrypoint": "  "}, "entrypoint", "has no word in it"),
        ({"searcher": {"name": [], "metric": "loss"}}, "searcher", "no searcher is called '[]'"),
        (
            {"hyperparameters": {"a": {"type": "double", "minval": -1.7e308, "maxval": 1.7e308}}},
            "hyperparameters.a",
            "minval -1.7e+308 and maxval 1.7e+308 are so far apart",
        ),
    ],
)
def test_what_cannot_be_stored_or_drawn_is_a_mistake(fields: dict[str, Any], path: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse({**BASE, **fields})
    assert {problem.path: problem.message for problem in caught.value.problems}[path].startswith(message)


def test_whole_numbers_may_have_64_bits() -> None:
    assert parse({**BASE, "data": {"x": [2**63 - 1, -(2**63), True, "a\tb\n"]}})


def test_values_that_hold_themselves_are_too_deep() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = [endless]
    with pytest.raises(ConfigError, match="nests deeper than 50 levels"):
        parse({**BASE, "data": endless})


def test_values_that_grow_by_sharing_are_too_many() -> None:
    grown: list[Any] = [1]
    for _ in range(20):
        grown = [grown, grown]
    with pytest.raises(TooLargeError, match="more than 100,000 values"):
        list(unstorable(grown))


def test_words_of_a_list_keep_their_spaces() -> None:
    assert parse({**BASE, "entrypoint": ["python", "my train.py"]}).entrypoint == "python 'my train.py'"


FIELDS = ["entrypoint", "searcher", "hyperparameters", "constraints", "data", "name", "labels"]
TEXTS = st.text(alphabet="ab\0\ud800 ", max_size=3)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(FIELDS), ANYTHING)
def test_no_value_does_anything_but_load_or_be_refused(field: str, value: Any) -> None:
    with contextlib.suppress(ConfigError):
        parse({**BASE, field: value})


GOOD = [read(path.read_text())[0] for path in sorted((Path(__file__).parents[4] / "examples").rglob("*.yaml"))]
NUMBERS = [True, -1, 0, 1, 0.5, 1e308, -1e308, math.inf, 2**63]
TEXT = ["", "1", ".", "\0", "a b", "x > 1"]
NESTED = [[], {}, [[]], [{}], [1, "a"], {"": 1}, {"name": {}}, {"type": "int"}, {"type": []}]
LENGTHS = [{"batches": 1}, {"batches": -1}, {"epochs": 1e308}]
ODD = st.sampled_from([None, *NUMBERS, *TEXT, *NESTED, *LENGTHS]).map(copy.deepcopy)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place within a value, the whole of it first."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, member in members for place in places(member, (*path, key)))]


@given(st.data())
def test_no_change_of_a_good_configuration_does_anything_but_load_or_be_refused(data: st.DataObject) -> None:
    changed = [copy.deepcopy(data.draw(st.sampled_from(GOOD)))]
    for _ in range(data.draw(st.integers(1, 3))):
        path = [0, *data.draw(st.sampled_from(places(changed[0])))]
        holder: Any = changed
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = data.draw(ODD)
    with contextlib.suppress(ConfigError):
        parse(changed[0]).to_json()
