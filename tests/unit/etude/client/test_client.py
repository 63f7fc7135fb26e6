"""The SDK: what it publishes, and what it says when nobody is there."""

from pathlib import Path

import httpx
import pytest

from etude.client import ApiClient, ApiError, prepare
from etude.config import ConfigError
from tests.models import LINE
from tests.servers.ports import free_port
from tests.unit.make import NOW, config

SCRIPT = "python train.py"


def test_a_new_experiment_is_checked_stored_and_ready_to_be_announced(tmp_path: Path) -> None:
    checked = config(entrypoint=SCRIPT, resources={"resource_pool": "gpus"}, reproducibility={"experiment_seed": 5})
    new = prepare(checked, LINE, f"file://{tmp_path}", "ada")
    announced = new.announce(NOW)
    assert (announced.type, announced.pool, announced.experimentid) == (
        "etude.experiment.created.v1",
        "gpus",
        new.experiment_id,
    )
    assert (new.created.seed, new.created.owner) == (5, "ada")
    assert (
        Path(new.created.model_definition.uri.removeprefix("file://")).stat().st_size
        == new.created.model_definition.size
    )
    assert new.experiment_id != prepare(checked, LINE, f"file://{tmp_path}", "ada").experiment_id


def test_without_a_seed_one_is_drawn(tmp_path: Path) -> None:
    seeds = {prepare(config(entrypoint=SCRIPT), LINE, f"file://{tmp_path}", "").created.seed for _ in range(5)}
    assert len(seeds) > 1


def test_artifacts_go_where_the_configuration_says(tmp_path: Path) -> None:
    storage = {"type": "shared_fs", "host_path": str(tmp_path / "shared")}
    new = prepare(config(entrypoint=SCRIPT, checkpoint_storage=storage), LINE, f"file://{tmp_path}/default", "")
    assert new.created.model_definition.uri.startswith(f"file://{tmp_path}/shared/model_definitions/")


def test_nothing_is_stored_if_the_model_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        prepare(config(entrypoint="nothing:Trial"), LINE, f"file://{tmp_path}/storage", "")
    assert list(tmp_path.iterdir()) == []


def api(answers: dict[str, httpx.Response]) -> ApiClient:
    client = ApiClient("http://test")
    transport = httpx.MockTransport(lambda request: answers[str(request.url.copy_with(scheme="", host=""))])
    client._http = httpx.Client(transport=transport, base_url="http://test")
    return client


def test_pages_are_followed_to_the_last() -> None:
    client = api(
        {
            "/api/v1/things?state=a": httpx.Response(200, json={"items": [1, 2], "next_cursor": "2"}),
            "/api/v1/things?cursor=2&state=a": httpx.Response(200, json={"items": [3], "next_cursor": None}),
        }
    )
    assert list(client.pages("/things", state="a", nothing=None)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (httpx.Response(404, json={"detail": "no experiment x"}), "the metrics service says 404: no experiment x"),
        (httpx.Response(502, text="<html>bad gateway"), "the metrics service says 502: <html>bad gateway"),
    ],
)
def test_a_refusal_is_passed_on(response: httpx.Response, message: str) -> None:
    with pytest.raises(ApiError, match=message):
        api({"/api/v1/x": response}).get("/x")


def test_what_was_just_made_is_waited_for() -> None:
    answers = iter([404, 404, 200, 404])
    client = ApiClient("http://api")
    client._http = httpx.Client(
        base_url="http://api", transport=httpx.MockTransport(lambda _: httpx.Response(next(answers)))
    )
    client.until_known("/experiments/new")
    assert next(answers) == 404, "asked until it was there, and no more"


@pytest.mark.parametrize("answer", [httpx.Response(503), httpx.ConnectError("nobody"), httpx.ReadTimeout("frozen")])
def test_who_gives_no_answer_is_not_waited_for(answer: httpx.Response | httpx.TransportError) -> None:
    asked: list[httpx.Request] = []

    def answered(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if isinstance(answer, httpx.Response):
            return answer
        raise answer

    client = ApiClient("http://api")
    client._http = httpx.Client(base_url="http://api", transport=httpx.MockTransport(answered))
    client.until_known("/experiments/new")
    assert len(asked) == 1


def test_a_service_that_is_not_there_is_named_with_the_setting() -> None:
    with pytest.raises(ApiError, match="is ETUDE_API_URL right"):
        ApiClient(f"http://127.0.0.1:{free_port()}").get("/experiments")
