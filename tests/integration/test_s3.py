"""Checkpoints and model definitions on an S3 server."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import fsspec
import pytest
from moto.server import ThreadedMotoServer

from etude.artifacts import ArtifactError, fetch_checkpoint, fetch_model_definition, store_model_definition
from etude.artifacts.checkpoint import delete_checkpoint, earlier_checkpoints, experiment_checkpoints
from etude.artifacts.errors import DamagedError, MissingError
from tests.models import LINE, SURFACE, surface_config
from tests.unit.etude.artifacts.test_checkpoint import store

BUCKET = "etude-test"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server with a bucket, of which the environment tells."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    fsspec.filesystem("s3").clear_instance_cache()
    yield f"s3://{BUCKET}/some/where"
    fsspec.filesystem("s3").clear_instance_cache()
    server.stop()


def test_checkpoints_are_stored_checked_listed_and_deleted(s3: str) -> None:
    place = f"{s3}/checkpoints/exp/1"
    for name in ("1-50", "1-100", "2-100", "2-150"):
        store(f"{place}/{name}", state=name, sub__more="x" * 1000)
    with fetch_checkpoint(f"{place}/2-150") as folder:
        assert (folder / "state").read_text() == "2-150"
        assert (folder / "sub" / "more").stat().st_size == 1000
    assert [uri for uri, _ in earlier_checkpoints(f"{place}/2-150")] == [
        f"{place}/{name}" for name in ("2-100", "1-100", "1-50")
    ]
    assert experiment_checkpoints(f"{s3}/checkpoints/exp") == [
        f"{place}/{name}" for name in ("1-100", "1-50", "2-100", "2-150")
    ]
    fs, path = fsspec.core.url_to_fs(f"{place}/2-150")
    fs.pipe_file(f"{path}/state", b"rot")
    with pytest.raises(DamagedError, match="state is damaged"), fetch_checkpoint(f"{place}/2-150"):
        pass
    delete_checkpoint(f"{place}/2-150", "exp", 1)
    with pytest.raises(MissingError, match="there is no whole checkpoint"), fetch_checkpoint(f"{place}/2-150"):
        pass
    delete_checkpoint(f"{place}/2-150", "exp", 1)  # nothing left to do


def test_a_model_definition_goes_there_and_back(s3: str, tmp_path: Path) -> None:
    directory = fetch_model_definition(store_model_definition(LINE, s3), tmp_path)
    assert (directory / "train.py").read_text() == (LINE / "train.py").read_text()


def test_a_bucket_that_is_not_there_is_named(s3: str) -> None:
    with pytest.raises(ArtifactError, match="s3://no-such-bucket"), fetch_checkpoint("s3://no-such-bucket/1-1"):
        pass


def test_a_search_keeps_its_checkpoints_there(s3: str, tmp_path: Path) -> None:
    storage: dict[str, Any] = {"type": "s3", "bucket": BUCKET, "prefix": "mine"}
    config = surface_config(tmp_path, checkpoint_storage=storage)
    command = [sys.executable, "-c", "from etude.cli.main import main; main()", "run", config, SURFACE, "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    uri = json.loads(done.stdout)["best"]["checkpoint"]
    assert uri.startswith(f"s3://{BUCKET}/mine/checkpoints/")
    with fetch_checkpoint(uri) as folder:
        assert (folder / "state.pt").is_file()
