"""The search engine: results in, decisions about trials out."""

import json
import math

import pytest

from etude.config import parse
from etude.events import (
    CloseReason,
    ExitReason,
    Length,
    TrialClosed,
    TrialContinued,
    TrialPaused,
    TrialRequested,
)
from etude_searcher.engine import SearchEngine
from etude_searcher.plugins import UnknownPluginError
from tests.unit.make import config, raw_config

HALVING = {"name": "async_halving", "max_length": 9000, "num_rungs": 3, "divisor": 3, "max_trials": 12}
CATEGORIES = {"c": {"type": "categorical", "vals": [1, 2, 3]}}


def engine(searcher: dict | None = None, hyperparameters: dict | None = None, seed: int = 1) -> SearchEngine:
    return SearchEngine(config(searcher, hyperparameters), seed)


def requested(events: list) -> list[TrialRequested]:
    return [event for event in events if isinstance(event, TrialRequested)]


def test_the_same_seed_draws_the_same_trials() -> None:
    assert engine(seed=5).start() == engine(seed=5).start()
    assert engine(seed=5).start() != engine(seed=6).start()


def test_a_draw_does_not_depend_on_the_order_of_results() -> None:
    first, second = engine({"max_concurrent_trials": 2}), engine({"max_concurrent_trials": 2})
    first.start()
    second.start()
    drawn = requested(first.validation_completed(1, 400, {"loss": 1}) + first.validation_completed(2, 400, {"loss": 2}))
    other = requested(
        second.validation_completed(2, 400, {"loss": 2}) + second.validation_completed(1, 400, {"loss": 1})
    )
    assert drawn == other


def test_each_trial_has_a_seed_of_its_own() -> None:
    seeds = [event.seed for event in requested(engine().start())]
    assert len(set(seeds)) == 4
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_equal_draws_are_drawn_again() -> None:
    drawn = requested(engine({"max_trials": 3}, CATEGORIES).start())
    assert sorted(event.hyperparameters["c"] for event in drawn) == [1, 2, 3]


def test_a_space_smaller_than_the_search_repeats_itself() -> None:
    assert len(requested(engine({"max_trials": 5}, CATEGORIES).start())) == 5


def test_a_validation_is_answered_with_continued_paused_or_closed() -> None:
    search = engine({**HALVING, "max_concurrent_trials": 3})
    search.start()
    assert search.validation_completed(1, 1000, {"loss": 0.5})[0] == TrialPaused(
        trial_id=1, length=Length.batches(1000)
    )
    search.validation_completed(2, 1000, {"loss": 0.6})
    assert search.validation_completed(3, 1000, {"loss": 0.1}) == [
        TrialContinued(trial_id=3, train_until=Length.batches(3000))
    ]


def test_the_unit_of_the_configuration_is_the_unit_of_all_lengths() -> None:
    [event] = requested(engine({"name": "single", "max_length": {"epochs": 3}}).start())
    assert event.train_until == Length.model_validate({"epochs": 3})


@pytest.mark.parametrize(("smaller", "best"), [(True, 2), (False, 3)])
def test_it_knows_the_best_trial(smaller: bool, best: int) -> None:
    search = engine({"smaller_is_better": smaller})
    search.start()
    for trial, loss in [(1, 0.5), (2, 0.1), (3, 0.9), (4, 0.5)]:
        search.validation_completed(trial, 400, {"loss": loss}, f"uri-{trial}")
    assert search.best is not None
    assert (search.best.trial_id, search.best.checkpoint) == (best, f"uri-{best}")
    assert search.best.hyperparameters == search.trials[best].hyperparameters
    assert search.finished


def test_larger_is_better_promotes_the_largest() -> None:
    search = engine({**HALVING, "max_concurrent_trials": 3, "smaller_is_better": False})
    search.start()
    search.validation_completed(1, 1000, {"loss": 0.5})
    search.validation_completed(2, 1000, {"loss": 0.6})
    [*_, promoted] = search.validation_completed(3, 1000, {"loss": 0.1})
    assert promoted == TrialContinued(trial_id=2, train_until=Length.batches(3000))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_no_number_closes_its_trial_with_the_reason(value: float) -> None:
    search = engine()
    search.start()
    [closed] = search.validation_completed(1, 400, {"loss": value})
    assert closed == TrialClosed(trial_id=1, reason=CloseReason.ERRORED, detail=f"loss is {value} at 400 batches")
    assert search.best is None


def test_a_metric_that_goes_missing_closes_its_trial() -> None:
    search = engine()
    search.start()
    search.validation_completed(1, 400, {"loss": 1.0})
    [closed] = search.validation_completed(2, 400, {"other": 1.0})
    assert isinstance(closed, TrialClosed)
    assert closed.detail == "the validation at 400 batches has no metric 'loss'"
    assert search.failure is None


def test_a_metric_that_never_was_fails_the_search_and_names_those_that_are() -> None:
    search = engine()
    search.start()
    events = search.validation_completed(1, 400, {"accuracy": 0.9, "val_loss": 1.0})
    assert search.finished
    assert search.failure is not None
    assert "'loss'" in search.failure
    assert "accuracy, val_loss" in search.failure
    assert [event.trial_id for event in events] == [1, 2, 3, 4]


def test_an_exited_trial_is_closed_and_replaced_in_the_search() -> None:
    search = engine({"max_concurrent_trials": 1})
    search.start()
    closed, following = search.trial_exited(1, ExitReason.RESTARTS_USED_UP, "ValueError: no")
    assert closed == TrialClosed(trial_id=1, reason=CloseReason.ERRORED, detail="ValueError: no")
    assert isinstance(following, TrialRequested)
    assert following.trial_id == 2


def test_a_result_is_expected_at_the_target_only_and_once() -> None:
    search = engine()
    search.start()
    assert search.expects(1, 400)
    assert not search.expects(1, 399)
    assert not search.expects(9, 400)
    search.validation_completed(1, 400, {"loss": 1.0})
    assert not search.expects(1, 400)


def test_outstanding_requests_ask_for_what_is_awaited_now() -> None:
    search = engine({**HALVING, "max_concurrent_trials": 3})
    search.start()
    for trial, loss in [(1, 0.5), (2, 0.6), (3, 0.1)]:
        search.validation_completed(trial, 1000, {"loss": loss})
    awaited = {e.trial_id: e.train_until.amount for e in requested(search.outstanding())}
    assert awaited[3] == 3000
    assert 1 not in awaited


def test_a_snapshot_restores_through_json_and_goes_on_alike() -> None:
    first = engine({**HALVING, "max_concurrent_trials": 4})
    first.start()
    for trial, loss in [(1, 0.5), (2, 0.6), (3, 0.1), (4, 0.7)]:
        first.validation_completed(trial, 1000, {"loss": loss})
    snapshot = json.loads(json.dumps(first.snapshot(), allow_nan=False))
    second = SearchEngine.restore(first.config, first.seed, snapshot)
    assert second.snapshot() == first.snapshot()
    for trial, length in [(5, 1000), (3, 3000), (6, 1000)]:
        answer = first.validation_completed(trial, length, {"loss": 0.2})
        assert second.validation_completed(trial, length, {"loss": 0.2}) == answer


def test_recorded_draws_are_used_instead_of_new_ones() -> None:
    search = engine({"max_trials": 1})
    recorded = TrialRequested(
        trial_id=1, hyperparameters={"rate": 0.123}, seed=1, slots=1, train_until=Length.batches(400)
    )
    search.recall([recorded])
    [event] = requested(search.start())
    assert event.hyperparameters == {"rate": 0.123}


def test_an_unknown_sampler_is_named_with_those_that_are_installed() -> None:
    with pytest.raises(
        UnknownPluginError, match="no sampler is called 'magic'; installed are: gp, grid, random, sobol"
    ):
        engine({"sampler": {"name": "magic"}})


def test_closing_all_leaves_nothing_open() -> None:
    search = engine()
    search.start()
    search.validation_completed(1, 400, {"loss": 1.0})
    closed = search.close_all(CloseReason.CANCELED)
    assert [event.trial_id for event in closed] == [2, 3, 4]
    assert search.finished


def test_the_first_report_past_a_target_counts_for_it_and_keeps_its_true_length() -> None:
    search = engine({"max_trials": 1})
    search.start()
    assert not search.expects(1, 399)
    assert search.expects(1, 403)
    [closed] = search.validation_completed(1, 403, {"loss": 0.5})
    assert isinstance(closed, TrialClosed)
    assert closed.reason is CloseReason.FINISHED
    assert search.best is not None
    assert search.best.length == 403


def test_a_report_past_two_targets_counts_for_one_at_a_time() -> None:
    search = engine({**HALVING, "max_concurrent_trials": 3})
    search.start()
    search.validation_completed(1, 1000, {"loss": 0.5})
    search.validation_completed(2, 1000, {"loss": 0.6})
    [continued] = search.validation_completed(3, 4000, {"loss": 0.1})
    assert continued == TrialContinued(trial_id=3, train_until=Length.batches(3000))
    assert search.expects(3, 4000)  # the same report, told again, counts for the second target


def test_a_model_that_calls_everything_invalid_fails_the_search() -> None:
    search = engine({"max_concurrent_trials": 1})
    search.start()
    for trial in range(1, 11):
        assert not search.finished
        search.trial_exited(trial, ExitReason.INVALID_HYPERPARAMETERS, "depth must be even")
    assert search.finished
    assert search.failure is not None
    assert "depth must be even" in search.failure


def test_trials_are_closed_when_the_search_gives_up() -> None:
    search = engine({"max_trials": 6, "max_concurrent_trials": 4})
    search.start()
    events = [search.trial_exited(n, ExitReason.NOT_RETRYABLE, "ImportError: no torch") for n in (1, 2, 3)][-1]
    assert [(event.trial_id, event.reason) for event in events if isinstance(event, TrialClosed)] == [
        (3, CloseReason.ERRORED),
        (4, CloseReason.CANCELED),
        (5, CloseReason.CANCELED),
        (6, CloseReason.CANCELED),
    ]
    assert search.failure == "3 trials failed alike, and none has worked: ImportError: no torch"


def test_a_constraint_that_fails_on_a_later_draw_fails_the_search_with_the_reason() -> None:
    space = {"kind": {"type": "categorical", "vals": [*range(20), "many"]}}
    search = SearchEngine(
        config({"max_trials": 40, "max_concurrent_trials": 1}, space, constraints=["kind < 20"]), seed=3
    )
    search.start()
    trial = 1
    while not search.finished:
        search.validation_completed(trial, 400, {"loss": 0.5})
        trial += 1
    assert 1 < trial < 40
    assert search.failure is not None
    assert search.failure.startswith("no hyperparameters can be drawn: ")
    assert "kind < 20" in search.failure


def test_progress_is_complete_at_the_end_whatever_was_invalid() -> None:
    search = engine({**HALVING, "max_concurrent_trials": 1, "max_trials": 3})
    search.start()
    open_trials = [1]
    while not search.finished:
        trial = open_trials.pop()
        number = trial if trial > 2 else 0
        events = (
            search.validation_completed(trial, search.trials[trial].target, {"loss": number})
            if number
            else search.trial_exited(trial, ExitReason.INVALID_HYPERPARAMETERS)
        )
        open_trials += [e.trial_id for e in events if isinstance(e, TrialRequested | TrialContinued)]
    assert search.progress() == 1.0


def test_a_clone_begins_from_the_checkpoint_that_its_source_was_ranked_by() -> None:
    pbt = {
        "name": "pbt",
        "metric": "loss",
        "population_size": 4,
        "length_per_round": {"batches": 10},
        "num_rounds": 2,
        "replace_function": {"truncate_fraction": 0.5},
        "max_concurrent_trials": 1,
    }
    search = SearchEngine(parse({**raw_config(), "searcher": pbt}), 1)
    search.start()
    sources = {}
    trial, length = 1, 10
    while not search.finished:
        uri = f"trial{trial}@{length}"
        for event in search.validation_completed(trial, length, {"loss": trial}, uri):
            if isinstance(event, TrialRequested):
                trial, length = event.trial_id, event.train_until.amount
                sources[trial] = event.source_checkpoint
            elif isinstance(event, TrialContinued):
                trial, length = event.trial_id, event.train_until.amount
    assert [sources[5], sources[6]] == ["trial1@10", "trial2@10"]
