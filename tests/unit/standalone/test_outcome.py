"""How a run ended: exit codes and JSON."""

import pytest

from etude_standalone.outcome import Outcome


@pytest.mark.parametrize(
    ("state", "code"), [("completed", 0), ("paused", 130), ("failed", 1), ("rejected", 1), ("canceled", 1)]
)
def test_the_exit_code_tells_how_it_ended(state: str, code: int) -> None:
    assert Outcome("exp", state, 1, None).exit_code == code


def test_as_json_it_has_a_reason_only_if_there_is_one() -> None:
    assert Outcome("exp", "completed", 4, {"trial_id": 1}).to_json() == {
        "experiment_id": "exp",
        "state": "completed",
        "trials": 4,
        "best": {"trial_id": 1},
    }
    assert Outcome("exp", "failed", 1, None, "no result").to_json()["reason"] == "no result"
