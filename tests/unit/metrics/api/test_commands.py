"""Commands over HTTP become events."""

import io
import tarfile
from pathlib import Path

import pytest

from etude.artifacts import fetch_model_definition
from etude.events import (
    CheckpointDiscarded,
    CheckpointSaved,
    ExperimentArchiveRequested,
    ExperimentCanceled,
    ExperimentChangeRequested,
    ExperimentCreated,
    ExperimentDeleteRequested,
    ExperimentPauseRequested,
    ExperimentRetryRequested,
    FileEntry,
    Length,
    PoolReported,
    RunnerChangeRequested,
    TrialClosed,
)
from tests.unit.make import created
from tests.unit.metrics.api.asking import Api, requested

CONFIG = b"""
name: over http
entrypoint: python train.py
hyperparameters: {rate: {type: double, minval: 0, maxval: 1}}
searcher: {name: random, metric: loss, max_length: 10, max_trials: 4}
"""


def archive(**files: str) -> bytes:
    """A tar.gz of files (``__`` in a name stands for a dot), in folders as ``tar czf model.tar.gz .`` makes them."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        folder = tarfile.TarInfo("./")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, text in files.items():
            member = tarfile.TarInfo(f"./{name.replace('__', '.')}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return body.getvalue()


async def post(api: Api, config: bytes = CONFIG, model: bytes | None = None, status: int = 201) -> dict:
    files = {"config": config, "model": archive(train__py="print()") if model is None else model}
    answer = await api.http.post("/api/v1/experiments", files=files)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def test_an_experiment_is_made_from_a_configuration_and_an_archive(api: Api, tmp_path: Path) -> None:
    made = await post(api)
    [envelope] = api.published
    assert isinstance(envelope.data, ExperimentCreated)
    assert (envelope.experiment, envelope.data.config["name"]) == (made["experiment_id"], "over http")
    directory = fetch_model_definition(envelope.data.model_definition, tmp_path / "cache")
    assert (directory / "train.py").read_text() == "print()"


async def test_every_mistake_of_a_configuration_is_told_with_its_place(api: Api) -> None:
    bad = CONFIG.replace(b"max_trials: 4", b"max_trials: 0").replace(b"name: over http", b"nam: x")
    problem = await post(api, bad, status=422)
    assert {(e["path"], e["line"]) for e in problem["errors"]} == {("nam", 2), ("searcher.max_trials", 5)}
    assert api.published == []


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (b"no archive", "cannot be unpacked"),
        (archive(other__py=""), "needs train.py"),
        (archive(__="")[:40], "cannot be unpacked"),
    ],
    ids=["none", "another", "cut"],
)
async def test_an_archive_that_is_none_or_lacks_the_entrypoint_is_refused(api: Api, model: bytes, said: str) -> None:
    assert said in (await post(api, model=model, status=422))["detail"]
    assert api.published == []


async def test_if_no_service_is_there_to_take_it_that_is_said(api: Api) -> None:
    api.unwanted = True
    assert "start the other etude services first" in (await post(api, status=503))["detail"]


async def test_an_experiment_is_paused_archived_and_changed(api: Api) -> None:
    await api.tell(created())
    for verb in ("pause", "archive"):
        assert (await api.http.post(f"/api/v1/experiments/exp/{verb}")).status_code == 202
    changes = {"changes": ["max_trials=+3", "weight=2"]}
    assert (await api.http.patch("/api/v1/experiments/exp", json=changes)).status_code == 202
    pause, archive, change = (envelope.data for envelope in api.published)
    assert isinstance(pause, ExperimentPauseRequested)
    assert isinstance(archive, ExperimentArchiveRequested)
    assert isinstance(change, ExperimentChangeRequested)
    assert (change.max_trials, change.weight) == (7, 2.0)
    await api.tell(archive)
    assert (await api.get("/experiments"))["items"] == []
    assert [e["experiment_id"] for e in (await api.get("/experiments", archived=True))["items"]] == ["exp"]


async def test_an_experiment_is_deleted_once_it_is_over(api: Api) -> None:
    await api.tell(created())
    refused = await api.http.delete("/api/v1/experiments/exp")
    assert refused.status_code == 409
    assert "is created; cancel it before it is deleted" in refused.json()["detail"]
    await api.tell(ExperimentCanceled(revision=2))
    assert (await api.http.delete("/api/v1/experiments/exp")).status_code == 202
    assert [envelope.data for envelope in api.published] == [ExperimentDeleteRequested()]


async def test_trials_that_failed_are_tried_again(api: Api) -> None:
    await api.tell(created(), requested(1), requested(2))
    path = "/api/v1/experiments/exp/retries"
    assert (await api.http.post(path, json={})).json()["detail"] == "no trial of exp has failed"
    await api.tell(TrialClosed(trial_id=2, reason="errored"))
    refused = await api.http.post(path, json={"trials": [1, 2]})
    assert (refused.status_code, refused.json()["detail"][:13]) == (409, "not failed: 1")
    for body in ({}, {"trials": [2]}):
        assert (await api.http.post(path, json=body)).status_code == 202
    told = [envelope.data for envelope in api.published]
    assert told == [ExperimentRetryRequested(), ExperimentRetryRequested(trial_ids=[2])]


async def test_what_makes_no_sense_is_refused_and_asks_for_nothing(api: Api) -> None:
    await api.tell(created())
    refused = [
        await api.http.post("/api/v1/experiments/exp/dance"),
        await api.http.patch("/api/v1/experiments/exp", json={"changes": ["colour=red"]}),
        await api.http.patch("/api/v1/experiments/exp", json={"changes": []}),
        await api.http.patch("/api/v1/experiments/exp", content=b"{"),
    ]
    assert [answer.status_code for answer in refused] == [422] * 4
    assert all(answer.headers["content-type"] == "application/problem+json" for answer in refused)
    assert (await api.http.post("/api/v1/experiments/nothing/pause")).status_code == 404
    assert api.published == []


async def test_a_checkpoint_is_deleted_unless_its_trial_may_go_on_from_it(api: Api) -> None:
    file = FileEntry(path="state", size=1, sha256="0" * 64)
    for length in (10, 20):
        saved = CheckpointSaved(
            trial_id=1, lease_number=1, uri=f"file:///c/{length}", length=Length.batches(length), files=[file]
        )
        await api.tell(created(), requested(1), saved)
    path = "/api/v1/experiments/exp/trials/1/checkpoints"
    assert (await api.http.delete(f"{path}/20")).status_code == 409
    assert (await api.http.delete(f"{path}/10")).status_code == 202
    assert (await api.http.delete(f"{path}/15")).status_code == 404
    await api.tell(TrialClosed(trial_id=1, reason="finished"))
    assert (await api.http.delete(f"{path}/20")).status_code == 202
    assert [e.data for e in api.published] == [
        CheckpointDiscarded(trial_id=1, uris=[f"file:///c/{length}"]) for length in (10, 20)
    ]


async def test_a_runner_is_taken_out_of_service(api: Api) -> None:
    runner = {
        "runner_id": "gpu-7",
        "state": "open",
        "reason": "",
        "host": "h",
        "labels": [],
        "slots": 1,
        "held": 0,
        "kind": "cuda",
        "trials": [],
    }
    told = PoolReported.model_validate({"pool": "big", "policy": "fair_share", "runners": [runner], "claims": []})
    await api.tell(told)
    answer = await api.http.post("/api/v1/runners/gpu-7/drain", json={"reason": "new driver"})
    assert answer.status_code == 202
    [envelope] = api.published
    wanted = RunnerChangeRequested(runner_id="gpu-7", enabled=False, drain=True, reason="new driver")
    assert (envelope.data, envelope.pool) == (wanted, "big")
    assert (await api.http.post("/api/v1/runners/nobody/enable")).status_code == 404
