"""Checkpoints that a lost runner saved and could not report."""

from pathlib import Path

from etude.artifacts.checkpoint import commit_checkpoint, staging_folder
from etude.artifacts.places import CheckpointPlace
from etude.events import Length
from etude_trial_runner.earlier_leases import read_earlier_checkpoints
from tests.unit.make import raw_config
from tests.unit.trial_runner.doubles import granted


def save(storage: str, lease_number: int, length: int) -> str:
    uri = CheckpointPlace(storage, "exp", 1, lease_number, length).uri
    with staging_folder(uri) as folder:
        (folder / "state").write_text("state")
        commit_checkpoint(
            folder, uri, experiment_id="exp", trial_id=1, lease_number=lease_number, length=Length.batches(length)
        )
    return uri


def test_whole_checkpoints_of_earlier_leases_are_found_with_their_files(tmp_path: Path) -> None:
    storage = f"file://{tmp_path}"
    first, second = save(storage, 1, 10), save(storage, 2, 20)
    save(storage, 3, 30)  # that of the lease itself is reported by its process
    (tmp_path / "checkpoints" / "exp" / "1" / "1-15").mkdir()  # never finished
    found = read_earlier_checkpoints("exp", granted(lease_number=3, config=raw_config()), storage)
    assert [(saved.uri, saved.lease_number, saved.length) for saved in found] == [
        (second, 2, Length.batches(20)),
        (first, 1, Length.batches(10)),
    ]
    assert [file.path for file in found[0].files] == ["state"]


def test_of_a_trial_without_checkpoints_none_is_found(tmp_path: Path) -> None:
    assert read_earlier_checkpoints("exp", granted(lease_number=3, config=raw_config()), f"file://{tmp_path}") == []
