"""When a search has no chance any more."""

import pytest

from etude.events import ExitReason
from etude_searcher.failures import Failures

INVALID = ExitReason.INVALID_HYPERPARAMETERS
BROKEN = ExitReason.NOT_RETRYABLE
USED_UP = ExitReason.RESTARTS_USED_UP


def outcomes(failures: Failures, reason: ExitReason, times: int, trials: int | None = None) -> list[str | None]:
    return [failures.record_exit(reason, f"why {n}", trials or n) for n in range(1, times + 1)]


def test_ten_invalid_trials_in_a_row_end_a_search_in_which_nothing_worked() -> None:
    *before, last = outcomes(Failures(), INVALID, 10)
    assert before == [None] * 9
    assert last is not None
    assert "10 trials in a row invalid (10 of 10 in all), the last because: why 10" in last


def test_a_result_begins_the_count_of_invalid_trials_anew() -> None:
    failures = Failures()
    outcomes(failures, INVALID, 9)
    failures.record_result()
    assert outcomes(failures, INVALID, 9, trials=20) == [None] * 9


def test_once_something_worked_only_a_share_of_nine_in_ten_ends_the_search() -> None:
    failures = Failures()
    failures.record_result()
    assert outcomes(failures, INVALID, 10, trials=12) == [None] * 10
    assert failures.record_exit(INVALID, "again", 12) is not None  # 11 of 12


def test_the_same_fault_that_no_restart_mends_ends_the_search_at_the_third_trial() -> None:
    failures = Failures()
    assert [failures.record_exit(BROKEN, "No module named 'x'", n) for n in (1, 2)] == [None, None]
    reason = failures.record_exit(BROKEN, "No module named 'x'", 3)
    assert reason == "3 trials failed alike, and none has worked: No module named 'x'"


def test_different_faults_do_not_add_up() -> None:
    assert outcomes(Failures(), BROKEN, 5) == [None] * 5


def test_a_fault_that_restarts_may_mend_ends_nothing_by_itself() -> None:
    failures = Failures()
    assert [failures.record_exit(USED_UP, "killed by signal 9", n) for n in range(1, 6)] == [None] * 5


def test_a_fault_after_something_worked_ends_nothing_by_itself() -> None:
    failures = Failures()
    failures.record_result()
    assert [failures.record_exit(BROKEN, "ValueError: no", n) for n in range(1, 6)] == [None] * 5


def test_more_failed_trials_than_allowed_end_the_search() -> None:
    failures = Failures(max_failed_trials=2)
    failures.record_result()
    assert [failures.record_exit(USED_UP, "no", n) for n in (1, 2)] == [None, None]
    assert failures.record_exit(USED_UP, "no", 3) == "3 trials failed, and max_failed_trials is 2: no"


def test_trials_that_a_person_killed_are_no_failures() -> None:
    assert outcomes(Failures(max_failed_trials=0), ExitReason.KILLED, 5) == [None] * 5


@pytest.mark.parametrize("reason", [INVALID, BROKEN])
def test_a_restored_count_goes_on_where_it_was(reason: ExitReason) -> None:
    first, second = Failures(), Failures()
    for number in range(2 if reason is BROKEN else 9):
        first.record_exit(reason, "same", number + 1)
    second.restore(first.snapshot())
    ended = first.record_exit(reason, "same", 10)
    assert ended is not None
    assert second.record_exit(reason, "same", 10) == ended
