"""Whether a token is needed."""

import pytest
from pydantic import ValidationError

from etude.errors import Failure
from etude_metrics.__main__ import MetricsSettings, listen


@pytest.mark.parametrize(
    ("host", "tokens", "needed", "loopback_only"),
    [
        ("127.0.0.1", "auto", False, True),
        ("localhost", "auto", False, True),
        ("0.0.0.0", "auto", True, False),
        ("10.1.2.3", "auto", True, False),
        ("127.0.0.1", "always", True, False),
        ("0.0.0.0", "never", False, False),
        ("127.0.0.1", "never", False, False),
    ],
)
def test_off_the_loopback_address_tokens_are_needed_unless_it_is_said_otherwise(
    host: str, tokens: str, needed: bool, loopback_only: bool
) -> None:
    access = MetricsSettings(api_host=host, api_tokens=tokens).access  # type: ignore[arg-type]
    assert (access.tokens_needed, access.loopback_only) == (needed, loopback_only)


def test_a_short_admin_token_is_refused_and_a_good_one_is_not_shown() -> None:
    with pytest.raises(ValidationError):
        MetricsSettings(admin_token="short")  # type: ignore[arg-type]
    settings = MetricsSettings(admin_token=40 * "x")  # type: ignore[arg-type]
    assert 40 * "x" not in repr(settings) + repr(settings.access)


@pytest.mark.parametrize("origin", ["*", "dashboard.example", "https://*.example", "https://a.example/path"])
def test_an_origin_is_one_origin(origin: str) -> None:
    with pytest.raises(ValidationError):
        MetricsSettings(allowed_origins=[origin])


def test_an_address_that_another_has_is_said_at_once() -> None:
    with (
        listen("localhost", 0) as taken,
        pytest.raises(Failure, match=r"ETUDE_API_PORT.*[Aa]ddress already in use"),
    ):
        listen("127.0.0.1", taken.getsockname()[1])
