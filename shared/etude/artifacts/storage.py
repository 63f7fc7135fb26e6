"""Storage: where artifacts lie, as fsspec URLs."""

from pathlib import Path
from typing import Any

import fsspec

from etude.artifacts.errors import ArtifactError
from etude.config.experiment import CheckpointStorage


def storage_url(storage: CheckpointStorage, default: str) -> str:
    """The URL that a configuration's ``checkpoint_storage`` stands for.

    Raises
    ------
    ArtifactError
        A field that the storage type needs is missing.
    """
    fields: dict[str, Any] = storage.model_extra or {}

    def need(name: str) -> str:
        if not fields.get(name):
            raise ArtifactError(f"checkpoint_storage of type {storage.type} needs {name}")
        return str(fields[name]).strip("/")

    match storage.type:
        case None:
            return default
        case "shared_fs":
            root = Path("/" + need("host_path"))
            return f"file://{root / str(fields.get('storage_path') or '')}".rstrip("/")
        case "directory":
            return f"file:///{need('container_path')}"
        case "s3":
            return _join("s3://" + need("bucket"), fields.get("prefix"))
        case "gcs":
            return _join("gs://" + need("bucket"), fields.get("prefix"))
        case "azure":
            return _join("abfs://" + need("container"), fields.get("prefix"))
        case "hdfs":
            return _join(str(fields.get("hdfs_url") or "hdfs://"), fields.get("hdfs_path"))


def local_url(path: Path) -> str:
    """A folder as a URL."""
    return f"file://{path.resolve()}"


def filesystem(url: str) -> tuple[Any, str]:
    """The fsspec filesystem of a URL, and the path on it.

    Raises
    ------
    ArtifactError
        The protocol needs a package that is not installed.
    """
    try:
        return fsspec.core.url_to_fs(url)  # type: ignore[no-any-return]
    except (ImportError, ValueError) as error:
        raise ArtifactError(f"storage {url} cannot be used: {error}") from error


def is_local(url: str) -> bool:
    """Does the URL name a folder of this machine?"""
    return url.startswith("file://") or "://" not in url


def _join(root: str, prefix: object) -> str:
    return f"{root}/{str(prefix).strip('/')}" if prefix else root
