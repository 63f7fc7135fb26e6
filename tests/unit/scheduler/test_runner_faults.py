"""Which runner is to blame when trials fail at their start."""

from etude.events import AllocationEnded, CheckpointSaved, EndReason, Event, ExitReason, Length, TrialExited
from tests.unit.scheduler.pool import Pool, ended, grants, joined, requested, result


def failed_at_start(trial_id: int, lease_number: int = 1, runner_id: str = "a", **more: object) -> AllocationEnded:
    failure = ended(trial_id, EndReason.FAILED, lease_number, runner_id)
    return failure.model_copy(update={"at_start": True, **more})


def out_of_service(pool: Pool, runner_id: str = "a") -> str | None:
    return pool.scheduler.fleet.runners[runner_id].disabled


def fail_here_and_work_there(pool: Pool, experiment_id: str, trial_id: int) -> None:
    """A trial fails at its start on runner a, is given to b, and reports a result there."""
    told = pool.hear(requested(trial_id), experiment_id=experiment_id)
    assert grants(told) == [(trial_id, "a", 1)], "a is the fuller one"
    told = pool.hear(failed_at_start(trial_id), experiment_id=experiment_id)
    assert grants(told) == [(trial_id, "b", 2)], "it avoids the runner where it failed"
    pool.hear(
        result(trial_id, lease_number=2), ended(trial_id, lease_number=2, runner_id="b"), experiment_id=experiment_id
    )


def two_experiments() -> Pool:
    pool = Pool()
    pool.hear(joined("a", slots=1), joined("b", slots=8))
    for experiment_id in ("x", "y"):
        pool.hear(pool.activated, experiment_id=experiment_id)
    return pool


def test_a_runner_on_which_trials_of_several_experiments_fail_that_work_elsewhere_is_disabled() -> None:
    pool = two_experiments()
    fail_here_and_work_there(pool, "x", 1)
    fail_here_and_work_there(pool, "y", 1)
    assert out_of_service(pool) is None, "two trials are no proof"
    fail_here_and_work_there(pool, "y", 2)
    assert out_of_service(pool) == (
        "3 trials of 2 experiments failed at their start here and worked on other runners (x/1, y/1, y/2); "
        "see their logs, then: etude runner enable a"
    )
    assert out_of_service(pool, "b") is None


def test_one_experiment_alone_disables_no_runner() -> None:
    pool = two_experiments()
    for trial_id in range(1, 8):
        fail_here_and_work_there(pool, "x", trial_id)
    assert out_of_service(pool) is None


def test_trials_that_fail_everywhere_disable_no_runner() -> None:
    pool = two_experiments()
    for experiment_id in ("x", "y"):
        for trial_id in range(1, 6):
            pool.hear(requested(trial_id), experiment_id=experiment_id)
            told: list[Event] = []
            for lease_number, runner_id in ((1, "a"), (2, "b"), (3, "a")):
                told = pool.hear(failed_at_start(trial_id, lease_number, runner_id), experiment_id=experiment_id)
            assert any(isinstance(event, TrialExited) for event in told), "its restarts are used up"
    assert out_of_service(pool) is None
    assert out_of_service(pool, "b") is None


def test_a_trial_that_works_clears_its_runner() -> None:
    pool = two_experiments()
    fail_here_and_work_there(pool, "x", 1)
    fail_here_and_work_there(pool, "y", 1)
    assert grants(pool.hear(requested(2), experiment_id="x")) == [(2, "a", 1)]
    saved = CheckpointSaved(trial_id=2, lease_number=1, uri="file:///2", length=Length.batches(10), files=[])
    pool.hear(saved, result(2), ended(2), experiment_id="x")
    fail_here_and_work_there(pool, "y", 2)
    assert out_of_service(pool) is None


def test_the_only_runner_is_tried_again_and_never_disabled() -> None:
    pool = Pool()
    pool.hear(joined("a"))
    pool.start(1, 2, 3, 4)
    for trial_id in (1, 2, 3):
        for lease_number in (1, 2, 3):
            told = pool.hear(failed_at_start(trial_id, lease_number))
    assert grants(told) == [(4, "a", 1)]
    assert out_of_service(pool) is None


def test_a_trial_waits_for_another_runner_only_for_a_while_and_lets_others_pass() -> None:
    pool = Pool()
    pool.hear(joined("a", slots=1), joined("b", slots=2))
    pool.start(1, 2, 3)
    assert grants(pool.at(1).hear(failed_at_start(1))) == [], "b is full"
    reason = pool.scheduler.report().claims[0].reason
    assert reason.startswith("it failed at its start on a, and waits for another runner for a while")
    assert grants(pool.at(2).hear(requested(4))) == [(4, "a", 1)], "which fails nowhere, and need not wait"
    pool.at(3).hear(result(4), ended(4))
    pool.scheduler.fleet.runners["a"].last_heartbeat = pool.scheduler.fleet.runners["b"].last_heartbeat = pool.at(
        62
    ).now
    assert grants(pool.hear()) == [(1, "a", 2)]


def test_a_failure_that_no_restart_can_mend_ends_the_trial_at_once() -> None:
    pool = Pool()
    pool.hear(joined("a"))
    pool.start(1)
    [exited] = pool.hear(failed_at_start(1, retryable=False, detail="ModuleNotFoundError: No module named 'x'"))
    assert isinstance(exited, TrialExited)
    assert (exited.reason, exited.restarts) == (ExitReason.NOT_RETRYABLE, 0)
    assert exited.detail == "ModuleNotFoundError: No module named 'x'"
