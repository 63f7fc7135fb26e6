"""Where checkpoints lie, and that nothing else is taken for one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.artifacts.checkpoint import delete_checkpoint
from etude.artifacts.places import CheckpointPlace, PlaceError, place_of_trial

STORAGES = ["s3://bucket/etude", "file:///shared", "mem://all"]
counts = st.integers(0, 2**40)


@given(st.sampled_from(STORAGES), st.from_regex(r"[a-z0-9_-]+", fullmatch=True), counts, counts, counts, counts)
def test_a_place_is_found_again_by_its_uri(
    storage: str, experiment_id: str, trial_id: int, lease_number: int, length: int, copy: int
) -> None:
    place = CheckpointPlace(storage, experiment_id, trial_id, lease_number, length, copy)
    assert CheckpointPlace.of(place.uri) == place


@pytest.mark.parametrize(
    "uri",
    [
        "file:///",
        "file:///etc/passwd",
        "file:///s/checkpoints/exp/1",
        "file:///s/checkpoints/exp/1/2-90/",
        "file:///s/checkpoints/exp/1/2-90\n",
        "file:///s/checkpoints/exp/1/2-90/../3-90",
        "file:///s/../checkpoints/exp/1/2-90",
        "file:///s/checkpoints/../1/2-90",
        "file:///s/checkpoints/exp/1/best",
    ],
)
def test_what_is_no_place_of_a_checkpoint_is_refused(uri: str) -> None:
    with pytest.raises(PlaceError, match="is no place of a checkpoint"):
        CheckpointPlace.of(uri)


@pytest.mark.parametrize(
    ("experiment_id", "trial_id", "storage", "message"),
    [
        ("other", 1, None, "is no checkpoint of trial 1 of other"),
        ("exp", 2, None, "is no checkpoint of trial 2 of exp"),
        ("exp", 1, "file:///elsewhere", "is not in the storage of its experiment, file:///elsewhere"),
    ],
)
def test_a_place_of_another_is_refused(experiment_id: str, trial_id: int, storage: str | None, message: str) -> None:
    with pytest.raises(PlaceError, match=message):
        place_of_trial("file:///s/checkpoints/exp/1/2-90", experiment_id, trial_id, storage)


def test_nothing_but_a_checkpoint_of_the_trial_is_deleted(tmp_path: Path) -> None:
    kept = tmp_path / "checkpoints" / "exp" / "1" / "2-90"
    kept.mkdir(parents=True)
    for uri, experiment_id, trial_id in [
        (f"file://{tmp_path}", "exp", 1),
        (f"file://{kept}", "exp", 2),
        (f"file://{kept.parent}", "exp", 1),
        (f"file://{kept}/../../../..", "exp", 1),
    ]:
        with pytest.raises(PlaceError):
            delete_checkpoint(uri, experiment_id, trial_id)
    assert kept.is_dir()
    delete_checkpoint(f"file://{kept}", "exp", 1)
    assert not kept.exists()
