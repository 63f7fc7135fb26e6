"""Storage: what a configuration's checkpoint_storage stands for."""

from typing import Any

import pytest

from etude.artifacts import ArtifactError, storage_url
from etude.artifacts.storage import filesystem
from etude.config.experiment import CheckpointStorage


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({}, "file:///default"),
        ({"type": "shared_fs", "host_path": "/mnt/x"}, "file:///mnt/x"),
        ({"type": "shared_fs", "host_path": "/mnt/x/", "storage_path": "y"}, "file:///mnt/x/y"),
        ({"type": "directory", "container_path": "/mnt/x"}, "file:///mnt/x"),
        ({"type": "s3", "bucket": "b", "prefix": "/p/"}, "s3://b/p"),
        ({"type": "s3", "bucket": "b"}, "s3://b"),
        ({"type": "gcs", "bucket": "b"}, "gs://b"),
        ({"type": "azure", "container": "c"}, "abfs://c"),
    ],
)
def test_every_type_stands_for_a_url(fields: dict[str, Any], url: str) -> None:
    assert storage_url(CheckpointStorage.model_validate(fields), "file:///default") == url


@pytest.mark.parametrize(("kind", "missing"), [("shared_fs", "host_path"), ("s3", "bucket"), ("azure", "container")])
def test_a_missing_field_is_named(kind: str, missing: str) -> None:
    with pytest.raises(ArtifactError, match=f"checkpoint_storage of type {kind} needs {missing}"):
        storage_url(CheckpointStorage.model_validate({"type": kind}), "")


def test_a_protocol_that_nobody_knows_is_named() -> None:
    with pytest.raises(ArtifactError, match="storage nope://x cannot be used"):
        filesystem("nope://x")
