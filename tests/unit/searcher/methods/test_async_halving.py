"""ASHA: who is promoted, paused, closed and created, result by result."""

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.config import AsyncHalvingConfig
from etude.events import CloseReason, ExitReason
from etude_searcher.methods import Close, Continue, Create, Operation, Pause
from etude_searcher.methods.async_halving import AsyncHalving

FAILED = ExitReason.RESTARTS_USED_UP
INVALID = ExitReason.INVALID_HYPERPARAMETERS


def halving(**fields: Any) -> AsyncHalving:
    common: dict[str, Any] = {
        "name": "async_halving",
        "metric": "loss",
        "max_length": 9000,
        "num_rungs": 3,
        "divisor": 3,
        "max_trials": 12,
        "max_concurrent_trials": 1,
    }
    numbers = itertools.count(1)
    return AsyncHalving(AsyncHalvingConfig.model_validate({**common, **fields}), lambda: next(numbers))


def carry_out(method: AsyncHalving, metrics: dict[int, float] | None = None) -> Counter[int]:
    """Train whoever is to be trained, one at a time; returns how many results each length got."""
    results: Counter[int] = Counter()
    waiting = [op for op in method.start() if isinstance(op, Create | Continue)]
    while waiting:
        job = waiting.pop(0)
        results[job.length] += 1
        answer = method.validation_completed(job.trial_id, job.length, (metrics or {}).get(job.trial_id, 1.0))
        waiting += [op for op in answer if isinstance(op, Create | Continue)]
    return results


def test_twelve_equal_trials_fill_the_rungs_with_12_4_1() -> None:
    method = halving()
    assert carry_out(method) == {1000: 12, 3000: 4, 9000: 1}
    assert method.progress() == 1.0


def test_the_best_of_twelve_reaches_the_top() -> None:
    method = halving()
    results = carry_out(method, {trial: 1.0 / trial for trial in range(1, 13)})  # every new trial is the best so far
    assert results[9000] >= 1
    rungs = method.snapshot()["rungs"]
    assert 12 in [trial for _, _, trial in rungs[2]["results"]]


def test_it_starts_with_as_many_trials_as_may_run_at_a_time() -> None:
    assert len(halving(max_concurrent_trials=5).start()) == 5
    assert len(halving(max_concurrent_trials=50).start()) == 12
    assert len(halving(max_concurrent_trials=0).start()) == 9  # d ** (R - 1)


def test_a_promotion_takes_the_place_of_a_new_trial() -> None:
    method = halving(max_concurrent_trials=3)
    assert [op.trial_id for op in method.start()] == [1, 2, 3]
    assert method.validation_completed(1, 1000, 0.3) == [Pause(1), Create(4, 1000)]
    assert method.validation_completed(2, 1000, 0.2) == [Pause(2), Create(5, 1000)]
    assert method.validation_completed(3, 1000, 0.1) == [Continue(3, 3000)]


def test_a_paused_trial_is_promoted_once_its_rung_has_grown() -> None:
    method = halving(max_concurrent_trials=3)
    method.start()
    method.validation_completed(1, 1000, 0.1)
    method.validation_completed(2, 1000, 0.2)
    assert method.validation_completed(3, 1000, 0.3) == [Pause(3), Continue(1, 3000)]


def test_nobody_is_promoted_twice_out_of_a_rung() -> None:
    method = halving(max_concurrent_trials=6)
    method.start()
    promoted = []
    for trial, metric in [(1, 0.5), (2, 0.6), (3, 0.1), (4, 0.7), (5, 0.8), (6, 0.9)]:
        promoted += [op for op in method.validation_completed(trial, 1000, metric) if isinstance(op, Continue)]
    assert promoted == [Continue(3, 3000), Continue(1, 3000)]


def test_a_result_at_the_top_closes_its_trial() -> None:
    method = halving(num_rungs=1, max_trials=2)
    assert method.start() == [Create(1, 9000)]
    assert method.validation_completed(1, 9000, 0.1) == [Close(1), Create(2, 9000)]
    assert method.validation_completed(2, 9000, 0.2) == [Close(2)]


def test_the_unpromoted_are_closed_when_nothing_more_can_come() -> None:
    method = halving(max_trials=3, num_rungs=2, max_concurrent_trials=3)
    method.start()
    method.validation_completed(1, 3000, 0.3)
    method.validation_completed(2, 3000, 0.2)
    assert method.validation_completed(3, 3000, 0.1) == [
        Continue(3, 9000),
        Close(2, CloseReason.STOPPED),
        Close(1, CloseReason.STOPPED),
    ]
    assert method.validation_completed(3, 9000, 0.1) == [Close(3)]


def test_a_failed_trial_counts_as_the_worst_and_gives_its_place_away() -> None:
    method = halving(max_concurrent_trials=3)
    method.start()
    assert method.trial_exited(1, FAILED) == [Create(4, 1000)]
    assert method.validation_completed(2, 1000, 1e9) == [Pause(2), Create(5, 1000)]
    assert method.validation_completed(3, 1000, 2e9) == [Pause(3), Continue(2, 3000)]


def test_a_trial_that_failed_while_paused_fails_again_when_it_is_promoted() -> None:
    method = halving(max_concurrent_trials=3)
    method.start()
    method.validation_completed(1, 1000, 0.1)
    assert method.trial_exited(1, FAILED) == []
    method.validation_completed(2, 1000, 0.2)
    operations = method.validation_completed(3, 1000, 0.3)
    assert Pause(3) in operations
    assert not any(isinstance(op, Continue) and op.trial_id == 1 for op in operations)
    assert len(method.snapshot()["rungs"][1]["results"]) == 1


def test_a_trial_with_invalid_hyperparameters_is_replaced_and_forgotten() -> None:
    method = halving(max_trials=3, max_concurrent_trials=3, num_rungs=1)
    method.start()
    assert method.trial_exited(2, INVALID) == [Create(4, 9000)]
    method.validation_completed(1, 9000, 0.1)
    method.validation_completed(3, 9000, 0.1)
    assert method.validation_completed(4, 9000, 0.1) == [Close(4)]
    assert len(method.snapshot()["rungs"][0]["results"]) == 3


def test_stop_once_continues_or_closes_for_good() -> None:
    method = halving(stop_once=True, max_concurrent_trials=4)
    method.start()
    assert method.validation_completed(1, 1000, 0.5) == [Continue(1, 3000)]  # best of one
    assert method.validation_completed(2, 1000, 0.4) == [Continue(2, 3000)]  # best of two
    assert method.validation_completed(3, 1000, 0.6) == [Close(3, CloseReason.STOPPED), Create(5, 1000)]
    assert method.validation_completed(1, 3000, 0.5) == [Continue(1, 9000)]
    assert method.validation_completed(2, 3000, 0.6) == [Close(2, CloseReason.STOPPED), Create(6, 1000)]


@pytest.mark.parametrize("stop_once", [False, True])
def test_a_restored_method_goes_on_as_the_first_would(stop_once: bool) -> None:
    first = halving(stop_once=stop_once, max_concurrent_trials=4)
    queue = list(first.start())
    for step in range(9):
        job = queue.pop(0)
        assert isinstance(job, Create | Continue)
        queue += _work(first.validation_completed(job.trial_id, job.length, (step * 7 % 5) / 5))
    numbers = itertools.count(first.snapshot()["created"] + 1)
    second = halving(stop_once=stop_once, max_concurrent_trials=4)
    second._new_trial = lambda: next(numbers)
    second.restore(first.snapshot())
    job = queue.pop(0)
    assert isinstance(job, Create | Continue)
    answer = first.validation_completed(job.trial_id, job.length, 0.01)
    assert second.validation_completed(job.trial_id, job.length, 0.01) == answer
    assert second.snapshot() == first.snapshot()


def _work(operations: list[Operation]) -> list[Operation]:
    return [op for op in operations if isinstance(op, Create | Continue)]


@given(
    st.data(),
    st.integers(1, 4),
    st.sampled_from([2, 3, 4]),
    st.integers(1, 20),
    st.integers(0, 8),
    st.booleans(),
)
def test_whatever_happens_every_result_is_answered_once_and_every_trial_ends(
    data: st.DataObject, rungs: int, divisor: int, trials: int, concurrent: int, stop_once: bool
) -> None:
    method = halving(
        num_rungs=rungs, divisor=divisor, max_trials=trials, max_concurrent_trials=concurrent, stop_once=stop_once
    )
    training: dict[int, int] = {}
    open_trials: set[int] = set()

    def apply(operations: list[Operation], reporter: int | None) -> None:
        if reporter is not None:
            answers = [op for op in operations if op.trial_id == reporter and not isinstance(op, Create)]
            assert len(answers) == 1
        for operation in operations:
            match operation:
                case Create(trial, length):
                    assert trial not in training
                    open_trials.add(trial)
                    training[trial] = length
                case Continue(trial, length):
                    assert trial in open_trials
                    assert trial not in training
                    training[trial] = length
                case Close(trial):
                    assert trial not in training
                    open_trials.remove(trial)

    apply(method.start(), None)
    invalid = 0
    while training:
        trial = data.draw(st.sampled_from(sorted(training)))
        length = training.pop(trial)
        fate = data.draw(st.sampled_from(["result", "result", "result", "failed", "invalid"]))
        if fate == "result":
            apply(method.validation_completed(trial, length, data.draw(st.sampled_from([0.0, 1.0, 2.0]))), trial)
        elif fate == "failed" or invalid > 5:
            open_trials.remove(trial)
            apply(method.trial_exited(trial, FAILED), None)
        else:
            invalid += 1
            open_trials.remove(trial)
            apply(method.trial_exited(trial, INVALID), None)
        assert 0 <= method.progress() <= 1
    assert open_trials == set()
    assert len(method.snapshot()["rungs"][0]["results"]) == trials


def test_stop_once_lets_an_equal_metric_go_on() -> None:
    method = halving(stop_once=True, max_concurrent_trials=4)
    method.start()
    method.validation_completed(1, 1000, 0.5)
    assert method.validation_completed(2, 1000, 0.5) == [Continue(2, 3000)]
    assert method.validation_completed(3, 1000, 0.5) == [Continue(3, 3000)]
