"""Which checkpoints nobody needs any more."""

from datetime import timedelta
from typing import Any

import pytest

from etude_metrics.retention import superfluous
from tests.unit.make import later

GRACE = timedelta(seconds=60)


def left(
    state: str = "running",
    losses: dict[int, float] | None = None,
    needed: tuple[str, ...] = (),
    at: float = 1000,
    smaller_is_better: bool = True,
    **keep: int,
) -> list[str]:
    """What is deleted of checkpoints at 1 to 4, saved 100 seconds apart, the last one at 400."""
    checkpoints = [{"uri": str(n), "time": later(100 * n).isoformat()} for n in (1, 2, 3, 4)]
    validations = [{"checkpoint": str(n), "metrics": {"loss": loss}} for n, loss in (losses or {}).items()]
    config: dict[str, Any] = {"checkpoint_storage": {f"save_{name}": count for name, count in keep.items()}}
    experiment = {"config": config, "metric": "loss", "smaller_is_better": smaller_is_better}
    return superfluous({"state": state}, checkpoints, validations, experiment, needed, later(at), GRACE)


def test_the_latest_and_the_best_are_kept() -> None:
    assert left(losses={1: 0.5, 2: 0.3, 3: 0.9, 4: 0.4}) == ["1", "3"]
    assert left(losses={1: 0.5, 2: 0.3, 3: 0.9, 4: 0.4}, smaller_is_better=False) == ["1", "2"]


def test_as_many_are_kept_as_the_configuration_wants() -> None:
    losses = {1: 0.1, 2: 0.2, 3: 0.3}
    assert left(losses=losses, trial_best=2, trial_latest=1) == ["3"]
    assert left(losses=losses, trial_best=0, trial_latest=2) == ["1", "2"]
    assert left(losses=losses, trial_best=1, trial_latest=4) == []


@pytest.mark.parametrize("wanted", range(4, 10))
def test_of_fewer_than_are_wanted_none_is_deleted(wanted: int) -> None:
    assert left("finished", trial_best=0, trial_latest=wanted) == []


@pytest.mark.parametrize("state", ["requested", "waiting", "running", "paused"])
def test_a_trial_that_may_train_again_keeps_its_latest(state: str) -> None:
    assert left(state, trial_best=0, trial_latest=0) == ["1", "2", "3"]


@pytest.mark.parametrize("state", ["finished", "stopped", "errored", "killed"])
def test_of_a_trial_that_is_over_nothing_may_be_left(state: str) -> None:
    assert left(state, trial_best=0, trial_latest=0) == ["1", "2", "3", "4"]


def test_what_others_need_is_kept() -> None:
    assert left("stopped", needed=("2",), trial_best=0, trial_latest=0) == ["1", "3", "4"]


def test_what_was_the_latest_until_just_now_is_kept_for_a_while() -> None:
    assert left(at=430, trial_best=0) == ["1", "2"]
    assert left(at=461, trial_best=0) == ["1", "2", "3"]
