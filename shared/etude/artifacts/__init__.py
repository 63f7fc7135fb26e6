"""Model definitions and checkpoints as files on any fsspec storage."""

from etude.artifacts.checkpoint import Manifest, commit_checkpoint, fetch_checkpoint, fetch_checkpoint_to
from etude.artifacts.errors import ArtifactError
from etude.artifacts.model_definition import (
    check_model_directory,
    fetch_model_definition,
    store_model_definition,
)
from etude.artifacts.storage import storage_url

__all__ = [
    "ArtifactError",
    "Manifest",
    "check_model_directory",
    "commit_checkpoint",
    "fetch_checkpoint",
    "fetch_checkpoint_to",
    "fetch_model_definition",
    "storage_url",
    "store_model_definition",
]
