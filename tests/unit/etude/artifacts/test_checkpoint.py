"""Checkpoints: whole or invisible, and checked when they are copied."""

from pathlib import Path

import fsspec
import pytest

from etude.artifacts import ArtifactError, commit_checkpoint, fetch_checkpoint, fetch_checkpoint_to
from etude.artifacts.checkpoint import MANIFEST, staging_folder
from etude.artifacts.places import CheckpointPlace
from etude.events import Length

ABOUT = {"experiment_id": "exp", "trial_id": 1, "lease_number": 2, "length": Length.batches(100)}


@pytest.fixture(params=["file", "memory"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a checkpoint goes: on this machine, and elsewhere."""
    storage = f"file://{tmp_path}/storage" if request.param == "file" else f"memory://{tmp_path.name}"
    return CheckpointPlace(storage, "exp", 1, 2, 100).uri


def store(uri: str, **files: str) -> None:
    with staging_folder(uri) as folder:
        for name, text in files.items():
            path = folder / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        commit_checkpoint(folder, uri, **ABOUT)


def test_what_is_stored_is_what_is_fetched(uri: str, tmp_path: Path) -> None:
    store(uri, a="one", sub__b="two")
    with fetch_checkpoint(uri) as folder:
        assert (folder / "a").read_text() == "one"
        assert (folder / "sub" / "b").read_text() == "two"
    manifest = fetch_checkpoint_to(uri, tmp_path / "copy")
    assert [(entry.path, entry.size) for entry in manifest.files] == [("a", 3), ("sub/b", 3)]
    assert (manifest.trial_id, manifest.lease_number, manifest.length) == (1, 2, Length.batches(100))
    assert (tmp_path / "copy" / MANIFEST).exists()


def test_without_a_manifest_there_is_no_checkpoint(uri: str) -> None:
    store(uri, a="one")
    fs, path = fsspec.core.url_to_fs(uri)
    fs.rm(f"{path}/{MANIFEST}")
    with pytest.raises(ArtifactError, match="there is no whole checkpoint at"), fetch_checkpoint(uri):
        pass


def test_a_damaged_file_is_named_when_it_is_copied(uri: str, tmp_path: Path) -> None:
    store(uri, a="one")
    fs, path = fsspec.core.url_to_fs(uri)
    fs.pipe_file(f"{path}/a", b"two")
    with pytest.raises(ArtifactError, match="a is damaged"):
        fetch_checkpoint_to(uri, tmp_path / "copy")


def test_a_checkpoint_may_be_stored_again(uri: str) -> None:
    store(uri, a="one")
    store(uri, a="two")
    with fetch_checkpoint(uri) as folder:
        assert (folder / "a").read_text() == "two"


def test_what_fails_on_the_way_leaves_nothing_behind(tmp_path: Path) -> None:
    uri = CheckpointPlace(f"file://{tmp_path}", "exp", 1, 2, 100).uri

    def fail() -> None:
        with staging_folder(uri) as folder:
            (folder / "a").write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        fail()
    assert list((tmp_path / "checkpoints" / "exp" / "1").iterdir()) == []


def test_every_lease_has_a_place_of_its_own() -> None:
    places = {CheckpointPlace("s3://b/", "exp", 1, lease, 100).uri for lease in (1, 2)}
    assert places == {"s3://b/checkpoints/exp/1/1-100", "s3://b/checkpoints/exp/1/2-100"}


def test_a_link_is_stored_as_the_file_that_it_leads_to(tmp_path: Path) -> None:
    uri = CheckpointPlace(f"file://{tmp_path}", "exp", 1, 2, 100).uri
    with staging_folder(uri) as folder:
        (folder / "step-100").write_text("x")
        (folder / "latest").symlink_to("step-100")
        commit_checkpoint(folder, uri, **ABOUT)
    with fetch_checkpoint(uri) as found:
        assert not (found / "latest").is_symlink()
        assert (found / "latest").read_text() == "x"


def test_a_link_that_was_put_there_later_is_damage(tmp_path: Path) -> None:
    uri = CheckpointPlace(f"file://{tmp_path}", "exp", 1, 2, 100).uri
    with staging_folder(uri) as folder:
        (folder / "state").write_text("x")
        commit_checkpoint(folder, uri, **ABOUT)
    (tmp_path / "same").write_text("x")
    state = Path(uri.removeprefix("file://")) / "state"
    state.unlink()
    state.symlink_to(tmp_path / "same")
    with pytest.raises(ArtifactError, match="state is a link"), fetch_checkpoint(uri):
        pass
