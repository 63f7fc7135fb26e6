"""Which role a request takes, and from where it may come."""

import pytest

from etude_metrics.api.access.rules import foreign, is_loopback, needed
from etude_metrics.api.access.token import Role


@pytest.mark.parametrize("path", ["/", "/experiments/3", "/static/main.js", "/docs", "/openapi.json", "/healthz"])
def test_what_tells_nothing_of_experiments_is_open(path: str) -> None:
    assert needed("GET", path) is None


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/api/v1/experiments", Role.VIEWER),
        ("HEAD", "/api/v1/experiments", Role.VIEWER),
        ("GET", "/metrics", Role.VIEWER),
        ("GET", "/api/v1/nothing-yet", Role.VIEWER),
        ("POST", "/api/v1/session", Role.VIEWER),
        ("POST", "/api/v1/experiments", Role.EDITOR),
        ("PATCH", "/api/v1/experiments/3", Role.EDITOR),
        ("DELETE", "/api/v1/experiments/3/trials/1/checkpoints/4", Role.EDITOR),
        ("GET", "/api/v1/runners/gpu/logs", Role.VIEWER),
        ("POST", "/api/v1/runners/gpu/drain", Role.ADMIN),
        ("GET", "/api/v1/tokens", Role.ADMIN),
        ("POST", "/api/v1/tokens", Role.ADMIN),
        ("GET", "/api/v1/dead-letters", Role.ADMIN),
        ("POST", "/api/v1/dead-letters/3/replay", Role.ADMIN),
        ("POST", "/api/v1/resync/3", Role.ADMIN),
    ],
)
def test_looking_steering_and_governing_take_roles(method: str, path: str, role: Role) -> None:
    assert needed(method, path) is role


def test_pages_of_other_origins_are_foreign_and_programs_are_not() -> None:
    assert not foreign({"host": "etude.example"})
    assert not foreign({"host": "etude.example:80", "origin": "http://etude.example:80"})
    assert foreign({"host": "etude.example", "origin": "http://evil.example"})
    assert foreign({"host": "etude.example", "origin": "null"})
    assert foreign({"host": "etude.example", "sec-fetch-site": "cross-site"})
    assert foreign({"host": "etude.example", "sec-fetch-site": "same-site"})


@pytest.mark.parametrize("host", ["", "10.0.0.1", "localhost.evil.example", "127.0.0.1.evil.example"])
def test_other_names_are_not_this_machine(host: str) -> None:
    assert not is_loopback(host)
