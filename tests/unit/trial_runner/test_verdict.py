"""How an allocation ended, from what its processes said and did."""

from typing import Any

import pytest

from etude.events import EndReason, Length
from etude_trial_runner.verdict import Evidence, Verdict, judge

TARGET = Length.batches(16)


def verdict(**evidence: Any) -> Verdict:
    return judge(Evidence(**evidence), TARGET)


@pytest.mark.parametrize("code", [0, -9, -15, 143, None])
def test_what_we_killed_is_no_failure(code: int | None) -> None:
    told = verdict(exit_code=code, stop_reason=EndReason.PREEMPTED, is_killed=True)
    assert told == Verdict(EndReason.PREEMPTED, "killed, without a checkpoint of its last state")


@pytest.mark.parametrize("code", [0, -15, -2, 143, 130])
def test_what_ends_by_the_signals_that_stop_a_machine_was_stopped(code: int) -> None:
    assert verdict(exit_code=code, stop_reason=EndReason.PREEMPTED) == Verdict(EndReason.PREEMPTED)


def test_a_failure_while_it_stops_is_a_failure() -> None:
    told = verdict(exit_code=1, stop_reason=EndReason.PREEMPTED, failure="OSError: no space left on device")
    assert told == Verdict(EndReason.FAILED, "OSError: no space left on device")


def test_a_limit_that_was_exceeded_is_told_instead_of_the_signal() -> None:
    assert verdict(exit_code=-9, is_killed=True, failure="too much memory").detail == "too much memory"


def test_the_target_may_be_overshot() -> None:
    assert verdict(exit_code=0, validated=17, reached=17) == Verdict(EndReason.FINISHED)


def test_a_script_that_ends_early_is_told_where_and_is_not_repeated() -> None:
    told = verdict(exit_code=0, validated=8, reached=12)
    assert told.detail.startswith("it ended by itself at 12 of 16 batches")
    assert not told.retryable


@pytest.mark.parametrize(("code", "number"), [(-9, 9), (137, 9)])
def test_a_strange_kill_is_perhaps_for_memory(code: int, number: int) -> None:
    assert verdict(exit_code=code).detail == f"killed by signal {number} (out of memory?)"


@pytest.mark.parametrize(
    ("code", "said", "retryable"),
    [
        (1, "ConnectionError: reset by peer", True),
        (1, "ModuleNotFoundError: No module named 'timm'", False),
        (1, "SyntaxError: invalid syntax", False),
        (127, "sh: 1: torchrum: not found", False),
        (126, "sh: 1: ./run.sh: Permission denied", False),
        (2, "", True),
    ],
)
def test_the_last_error_of_a_program_is_the_reason(code: int, said: str, retryable: bool) -> None:
    told = verdict(exit_code=code, last_error=said)
    assert told.detail == (f"exit code {code}: {said}" if said else f"exit code {code}")
    assert told.retryable is retryable
