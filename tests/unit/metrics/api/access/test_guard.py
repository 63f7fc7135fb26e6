"""Who is let in, as a browser or a program sees it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from etude.store.schema import TOKENS
from etude_metrics.api.access import Access
from tests.unit.make import created
from tests.unit.metrics.api.asking import Api

ADMIN = "an admin token of more than 32 characters"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Api]:
    access = Access(
        tokens_needed=True,
        admin_token=ADMIN,
        allowed_origins=("https://dashboard.example",),
        requests_per_second=2.0,
    )
    api = Api(tmp_path, access)
    await api.store.open()
    await api.tell(created())
    yield api
    await api.http.aclose()


async def token(api: Api, role: str, name: str = "ada", **more: object) -> str:
    answer = await api.http.post("/api/v1/tokens", json={"name": name, "role": role, **more}, headers=bearer(ADMIN))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


async def ask(api: Api, path: str, key: str, method: str = "GET") -> httpx.Response:
    return await api.http.request(method, f"/api/v1{path}", headers=bearer(key))


async def test_without_a_token_nothing_is_told(guarded: Api) -> None:
    for path in ("/api/v1/experiments", "/api/v1/experiments/exp", "/metrics", "/api/v1/tokens", "/api/v1/session"):
        answer = await guarded.http.get(path)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
        assert "exp" not in answer.json()["detail"].split()


async def test_health_and_the_empty_page_are_open(guarded: Api) -> None:
    for path in ("/healthz", "/readyz", "/", "/docs", "/openapi.json", "/static/main.js"):
        assert (await guarded.http.get(path)).status_code == 200, path


async def test_each_role_may_do_its_own_and_no_more(guarded: Api) -> None:
    viewer, editor = await token(guarded, "viewer"), await token(guarded, "editor", "bob")
    assert (await ask(guarded, "/experiments/exp", viewer)).status_code == 200
    refused = await ask(guarded, "/experiments/exp/pause", viewer, "POST")
    assert refused.status_code == 403
    assert refused.json()["detail"] == "this takes the role editor; ada has the role viewer"
    assert (await ask(guarded, "/experiments/exp/pause", editor, "POST")).status_code == 202
    assert (await ask(guarded, "/tokens", editor)).status_code == 403
    assert (await ask(guarded, "/runners/gpu/drain", editor, "POST")).status_code == 403
    assert (await ask(guarded, "/runners/gpu/drain", ADMIN, "POST")).status_code == 404


async def test_what_is_asked_is_asked_in_the_name_of_the_token(guarded: Api) -> None:
    editor = await token(guarded, "editor", "bob")
    await ask(guarded, "/experiments/exp/kill", editor, "POST")
    assert guarded.published[-1].data.requested_by == "bob"  # type: ignore[union-attr]
    assert (await ask(guarded, "/session", editor)).json() == {"user": "bob", "role": "editor"}


async def test_only_the_hash_of_a_token_is_kept_and_nobody_is_told_it(guarded: Api) -> None:
    made = await token(guarded, "viewer")
    kept = await guarded.store.find(TOKENS, {})
    assert made not in str(kept) and made.split("_")[2] not in str(kept)
    listed = (await ask(guarded, "/tokens", ADMIN)).text
    assert kept[0]["hash"] not in listed and made not in listed and kept[0]["_id"] in listed


async def test_a_revoked_token_lets_in_no_more(guarded: Api) -> None:
    made = await token(guarded, "viewer")
    assert (await ask(guarded, "/session", made)).status_code == 200
    token_id = made.split("_")[1]
    assert (await ask(guarded, f"/tokens/{token_id}", ADMIN, "DELETE")).status_code == 204
    answer = await ask(guarded, "/session", made)
    assert answer.status_code == 401
    assert "revoked" in answer.json()["detail"]
    assert (await ask(guarded, "/tokens/0123", ADMIN, "DELETE")).status_code == 404


async def test_a_token_ends_when_its_days_are_over(guarded: Api) -> None:
    made = await token(guarded, "viewer", days=2)
    guarded.now += timedelta(days=1)
    assert (await ask(guarded, "/session", made)).status_code == 200
    guarded.now += timedelta(days=1)
    assert "expired" in (await ask(guarded, "/session", made)).json()["detail"]


async def test_the_secret_counts_and_not_the_id(guarded: Api) -> None:
    made = await token(guarded, "admin")
    forged = made[:-1] + ("A" if made[-1] != "A" else "B")
    assert (await ask(guarded, "/session", forged)).status_code == 401


async def test_a_name_counts_for_nothing_where_tokens_are_needed(guarded: Api) -> None:
    viewer = await token(guarded, "viewer")
    named = await guarded.http.get("/api/v1/session", headers={**bearer(viewer), "X-Etude-User": "root"})
    assert named.json()["user"] == "ada"


async def test_who_guesses_is_made_to_wait(guarded: Api) -> None:
    statuses = [(await ask(guarded, "/session", f"guess {n}")).status_code for n in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    answer = await ask(guarded, "/session", "guess")
    assert int(answer.headers["retry-after"]) >= 1


async def test_who_asks_too_often_is_told_when_to_come_again(guarded: Api) -> None:
    viewer = await token(guarded, "viewer")
    answers = [await ask(guarded, "/session", viewer) for _ in range(22)]
    assert answers[0].status_code == 200
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert (await ask(guarded, "/session", ADMIN)).status_code == 200


async def test_the_page_signs_in_with_a_cookie_that_scripts_cannot_read(guarded: Api) -> None:
    editor = await token(guarded, "editor")
    answer = await guarded.http.post("/api/v1/session", headers=bearer(editor))
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert (await guarded.http.get("/api/v1/experiments/exp")).status_code == 200
    answer = await guarded.http.request("DELETE", "/api/v1/session")
    assert (await guarded.http.get("/api/v1/experiments/exp")).status_code == 401


async def test_the_cookie_is_secure_over_https(guarded: Api) -> None:
    editor = await token(guarded, "editor")
    answer = await guarded.http.post("https://test/api/v1/session", headers=bearer(editor))
    assert "secure" in answer.headers["set-cookie"].lower()
    assert "strict-transport-security" in answer.headers


async def test_with_the_cookie_alone_nothing_can_be_changed(guarded: Api) -> None:
    await guarded.http.post("/api/v1/session", headers=bearer(await token(guarded, "editor")))
    path = "/api/v1/experiments/exp/kill"
    assert (await guarded.http.post(path)).status_code == 403
    assert (await guarded.http.post(path, headers={"X-Etude": "page"})).status_code == 202
    evil = {"X-Etude": "page", "Origin": "http://evil.example"}
    assert (await guarded.http.post(path, headers=evil)).status_code == 403
    assert len(guarded.published) == 1


async def test_pages_of_allowed_origins_may_ask_with_a_token_and_not_with_the_cookie(guarded: Api) -> None:
    viewer = await token(guarded, "viewer")
    origin = {"Origin": "https://dashboard.example"}
    answer = await guarded.http.get("/api/v1/experiments", headers={**bearer(viewer), **origin})
    assert answer.headers["access-control-allow-origin"] == "https://dashboard.example"
    assert "access-control-allow-credentials" not in answer.headers
    assert (await guarded.http.options("/api/v1/experiments", headers=origin)).status_code == 204
    await guarded.http.post("/api/v1/session", headers=bearer(viewer))
    assert (await guarded.http.get("/api/v1/experiments", headers=origin)).status_code == 401


async def test_other_origins_are_told_nothing_of_cors(guarded: Api) -> None:
    answer = await guarded.http.get("/api/v1/session", headers={**bearer(ADMIN), "Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_every_answer_has_the_headers_that_keep_browsers_careful(guarded: Api) -> None:
    for path in ("/", "/api/v1/experiments", "/nowhere", "/healthz", "/static/main.js"):
        headers = (await guarded.http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "DENY", path
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert "cache-control" in headers, path


async def test_a_large_body_is_refused(guarded: Api) -> None:
    editor = await token(guarded, "editor")
    body = b'{"changes": ["' + b"x" * 2**21 + b'"]}'
    headers = {**bearer(editor), "Content-Type": "application/json"}
    answer = await guarded.http.patch("/api/v1/experiments/exp", content=body, headers=headers)
    assert answer.status_code == 413


async def test_on_the_loopback_address_no_token_is_needed_but_the_name_must_be_ours(tmp_path: Path) -> None:
    api = Api(tmp_path, Access(loopback_only=True))
    await api.store.open()
    local = {"Host": "localhost:8080"}
    assert (await api.http.get("/api/v1/experiments", headers=local)).status_code == 200
    assert (await api.http.get("/api/v1/experiments", headers={"Host": "rebound.example"})).status_code == 421
    named = await api.http.get("/api/v1/session", headers={**local, "X-Etude-User": "ada"})
    assert named.json() == {"user": "ada", "role": "admin"}
    evil = {**local, "Origin": "http://evil.example"}
    assert (await api.http.post("/api/v1/experiments/exp/kill", headers=evil)).status_code == 403
    await api.http.aclose()
