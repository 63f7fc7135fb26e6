"""The page's files, and downloads."""

import gzip
import io
import re
import tarfile
from pathlib import Path

import pytest

from etude.artifacts import commit_checkpoint
from etude.artifacts.errors import DamagedError
from etude.artifacts.storage import local_url
from etude.events import BestTrial, CheckpointSaved, ExperimentProgressed, Length
from tests.unit.make import created
from tests.unit.metrics.api.asking import Api, requested


@pytest.mark.parametrize("path", ["/", "/fleet", "/compare", "/experiments/any", "/experiments/any/trials/3"])
async def test_every_address_of_the_page_gets_the_page(api: Api, path: str) -> None:
    answer = await api.http.get(path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "<title>etude</title>" in answer.text


async def test_all_that_the_page_loads_is_here_and_nothing_comes_from_elsewhere(api: Api) -> None:
    waiting, seen = {"/"}, set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = await api.http.get(path)
        assert answer.status_code == 200, path
        if not path.endswith("plotly.min.js"):
            assert not re.search(r"https?://(?!www\.w3\.org)", answer.text), path
            waiting |= set(re.findall(r'"(/static/[^"]+)"', answer.text)) - seen
    assert len(seen) > 12


async def test_files_are_packed_and_not_sent_twice(api: Api) -> None:
    packed = await api.http.get("/static/plotly.min.js", headers={"Accept-Encoding": "gzip"})
    plain = await api.http.get("/static/plotly.min.js", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    assert len(gzip.compress(plain.content[:10])) and packed.content == plain.content
    again = await api.http.get("/static/plotly.min.js", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["../pages.py", "..%2Fpages.py", "%2Fetc/passwd", "nothing.js", ""])
async def test_nothing_but_the_pages_files_can_be_asked_for(api: Api, path: str) -> None:
    answer = await api.http.get(f"/static/{path}")
    assert answer.status_code == 404


PLACE = Path("storage", "checkpoints", "exp", "1", "1-100")


async def with_checkpoint(api: Api, folder: Path, place: Path = PLACE) -> None:
    """A trial that saved a checkpoint of two files."""
    source = folder / "source"
    (source / "deep").mkdir(parents=True)
    (source / "state.pt").write_bytes(b"x" * 1000)
    (source / "deep" / "more").write_bytes(b"")
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    uri = local_url(folder / place)
    about = {"experiment_id": "exp", "trial_id": 1, "lease_number": 1, "length": Length.batches(100), "metadata": {}}
    manifest = commit_checkpoint(source, uri, **about)
    saved = CheckpointSaved(trial_id=1, lease_number=1, uri=uri, length=Length.batches(100), files=manifest.files)
    best = BestTrial(trial_id=1, metric="loss", value=0.5, length=100, hyperparameters={}, checkpoint=uri)
    await api.tell(created(), requested(1), saved, ExperimentProgressed(revision=1, progress=0.5, trials=1, best=best))


@pytest.mark.parametrize("path", ["best-checkpoint", "trials/1/checkpoints/100"])
async def test_a_checkpoint_is_downloaded_as_an_archive(api: Api, path: str, tmp_path: Path) -> None:
    await with_checkpoint(api, tmp_path)
    answer = await api.http.get(f"/api/v1/experiments/exp/{path}")
    assert answer.headers["content-disposition"] == 'attachment; filename="exp-1-100.tar"'
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        found = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    assert found == {"state.pt": b"x" * 1000, "deep/more": b""}


async def test_a_checkpoint_that_is_not_there_says_which_are(api: Api, tmp_path: Path) -> None:
    await with_checkpoint(api, tmp_path)
    problem = await api.get("/experiments/exp/trials/1/checkpoints/7", 404)
    assert problem["detail"] == "trial 1 has no such checkpoint; there are checkpoints at: 100"
    (tmp_path / PLACE).rename(tmp_path / "gone")
    assert "give it the same storage" in (await api.get("/experiments/exp/best-checkpoint", 503))["detail"]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (Path("storage", "c"), "is no place of a checkpoint"),
        (Path("storage", "checkpoints", "exp", "2", "1-100"), "is no checkpoint of trial 1 of exp"),
        (Path("storage", "checkpoints", "other", "1", "1-100"), "is no checkpoint of trial 1 of exp"),
        (Path("elsewhere", "checkpoints", "exp", "1", "1-100"), "is not in the storage of its experiment"),
    ],
)
async def test_nothing_is_read_but_what_is_the_trials_own(api: Api, tmp_path: Path, place: Path, reason: str) -> None:
    await with_checkpoint(api, tmp_path, place)
    assert reason in (await api.get("/experiments/exp/best-checkpoint", 503))["detail"]


@pytest.mark.parametrize("what", ["file", "folder"])
async def test_a_link_that_was_put_into_a_checkpoint_leads_nowhere(api: Api, tmp_path: Path, what: str) -> None:
    await with_checkpoint(api, tmp_path)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "more").write_bytes(b"s" * 1000)
    there = tmp_path / PLACE / ("state.pt" if what == "file" else "deep")
    there.rename(tmp_path / "aside")
    there.symlink_to(secret / "more" if what == "file" else secret)
    with pytest.raises(DamagedError, match="is a link"):
        await api.http.get("/api/v1/experiments/exp/best-checkpoint")
