"""How often somebody may ask."""

import pytest

from etude_metrics.api.access.limiter import Limiter


def test_each_has_a_bucket_of_their_own() -> None:
    limiter = Limiter(rate=2.0, burst=3)
    assert [limiter.wait("ada", 0.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert limiter.wait("bob", 0.0) == 0


def test_over_any_stretch_no_more_is_granted_than_burst_and_rate_allow() -> None:
    limiter = Limiter(rate=5.0, burst=10)
    granted = sum(limiter.wait("ada", step / 100) == 0 for step in range(1000))
    assert granted == pytest.approx(10 + 5 * 10, abs=1)


def test_who_waits_as_told_is_let_through() -> None:
    limiter = Limiter(rate=3.0, burst=1)
    limiter.wait("ada", 0.0)
    wait = limiter.wait("ada", 0.1)
    assert limiter.wait("ada", 0.1 + wait + 1e-9) == 0


def test_only_so_many_are_remembered() -> None:
    limiter = Limiter(rate=1.0, burst=1)
    for number in range(20_000):
        limiter.wait(str(number), 0.0)
    assert limiter.left("19999", 0.0) == 0
    assert limiter.left("0", 0.0) == 1
