"""All that a trial's process may say."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.events import FileEntry, Length
from etude_trial_runner.messages import Saved, Trained, Validated, read

ENTRY = {"path": "state.pt", "size": 3, "sha256": "0" * 64}
SAVED: dict[str, Any] = {"say": "checkpoint", "length": {"batches": 7}, "lease": 2, "reached": 7, "files": [ENTRY]}


def test_numbers_that_json_does_not_have_come_as_text() -> None:
    said = read({"say": "validation", "length": {"epochs": 2}, "metrics": {"loss": "inf"}, "checkpoint": None})
    assert isinstance(said, Validated)
    assert (said.metrics, said.length) == ({"loss": float("inf")}, Length.model_validate({"epochs": 2}))


def test_of_a_place_that_is_named_nothing_is_taken() -> None:
    said = read({**SAVED, "uri": "file:///etc"})
    assert isinstance(said, Saved)
    assert "etc" not in repr(said)


@pytest.mark.parametrize(
    "message",
    [
        [],
        {},
        {"say": "publish", "type": "etude.experiment.kill-requested.v1"},
        {"say": ["checkpoint"]},
        {**SAVED, "lease": -1},
        {**SAVED, "reached": 2**70},
        {**SAVED, "copy": "../1"},
        {**SAVED, "files": [{**ENTRY, "size": -1}]},
        {**SAVED, "files": [{**ENTRY, "size": 2**64}]},
        {"say": "training", "length": {"batches": 1}, "metrics": {str(n): 1.0 for n in range(10_001)}},
        {"say": "training", "length": {"batches": 1}, "metrics": {1001 * "n": 1.0}},
        {"say": "training", "length": {"batches": 2**64}, "metrics": {}},
        {"say": "failed", "detail": 100_001 * "x"},
        {"say": "validation", "length": {"batches": 1}, "seconds": "nan"},
    ],
)
def test_anything_else_is_refused(message: Any) -> None:
    with pytest.raises(ValueError, match="validation error"):
        read(message)


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "a\0", "..\\x"])
def test_a_file_lies_within_its_checkpoint(path: str) -> None:
    with pytest.raises(ValueError, match="is no path of a file within a folder"):
        FileEntry(path=path, size=1, sha256="0")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(["length", "lease", "reached", "copy", "files", "metrics", "information", "detail", "seconds"])


@given(st.sampled_from(["training", "validation", "checkpoint", "waiting", "failed"]), st.dictionaries(fields, values))
def test_no_message_does_anything_but_be_read_or_be_refused(say: str, message: dict[str, Any]) -> None:
    with contextlib.suppress(ValueError):
        assert not isinstance(read({**SAVED, **message, "say": say}), Trained) or say == "training"
