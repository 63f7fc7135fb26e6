"""What became of the trials that a runner stopped, in words."""

import pytest

from etude_trial_runner.departure import Departure, describe_departures

KEPT = Departure(1, 30, 30, "batches")
BEHIND = Departure(2, 30, 20, "batches")
NEVER_SAVED = Departure(3, 4, 0, "epochs")


@pytest.mark.parametrize(
    ("departures", "told"),
    [
        ([], "no trial was running"),
        ([KEPT], "the trial kept all it had trained"),
        ([KEPT, KEPT], "all 2 trials kept all they had trained"),
        ([KEPT, BEHIND], "1 of 2 trials kept all they had trained; trial 2 was at 30 batches and goes on from 20"),
        ([NEVER_SAVED], "trial 3 was at 4 epochs and begins anew"),
    ],
)
def test_nothing_is_promised_that_was_not_kept(departures: list[Departure], told: str) -> None:
    assert describe_departures(departures) == told
