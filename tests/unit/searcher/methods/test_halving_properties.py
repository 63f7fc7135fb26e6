"""Whatever the configuration, the results and their order: what holds for every search method."""

import itertools
import json
import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from etude.config import ExperimentConfig, parse
from etude.events import ExitReason, Length
from etude_searcher.methods import Clone, Close, Continue, Create, Operation, Pause, SearchMethod
from etude_searcher.methods.async_halving import AsyncHalving
from etude_searcher.methods.brackets import Brackets
from etude_searcher.methods.sync_halving import SyncHalving
from etude_searcher.plugins import METHODS, plugin
from tests.unit.make import config

DIVISORS = st.sampled_from([2, 3, 4, 2.5])
CONCURRENCY = st.integers(0, 9)


def searchers() -> st.SearchStrategy[dict[str, Any]]:
    """Configurations of every method that trains trials in stretches."""
    length, trials = st.integers(8, 300), st.integers(1, 25)
    common = {"max_length": length, "max_concurrent_trials": CONCURRENCY}
    halving = {**common, "divisor": DIVISORS}
    adaptive = {
        **halving,
        "mode": st.sampled_from(["conservative", "standard", "aggressive"]),
        "max_rungs": st.integers(1, 5),
    }
    rungs = st.integers(1, 4)

    def of(name: str, **fields: Any) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries({"name": st.just(name), **fields})

    return st.one_of(
        of("random", **common, max_trials=trials),
        of("async_halving", **halving, max_trials=trials, num_rungs=rungs, stop_once=st.booleans()),
        of("sync_halving", **halving, max_trials=trials, num_rungs=rungs),
        of("sync_halving", **halving, budget=st.integers(1, 3000), num_rungs=rungs),
        of("adaptive_asha", **adaptive, max_trials=trials, stop_once=st.booleans()),
        of("adaptive_simple", **adaptive, max_trials=trials),
        of("adaptive", **adaptive, budget=st.integers(1, 3000)),
        of(
            "hyperband",
            max_length=st.integers(1, 30),
            max_concurrent_trials=CONCURRENCY,
            divisor=st.sampled_from([3, 4]),
        ),
        of("median_stopping", **common, max_trials=trials),
        of(
            "pbt",
            population_size=st.integers(1, 8),
            length_per_round=st.integers(1, 20),
            num_rounds=st.integers(1, 4),
            max_concurrent_trials=CONCURRENCY,
            replace_function=st.fixed_dictionaries({"truncate_fraction": st.sampled_from([0.0, 0.2, 0.5])}),
        ),
    )


def build(made: ExperimentConfig, numbers: Iterator[int]) -> SearchMethod:
    method: SearchMethod = plugin(METHODS, made.searcher.name)(made.searcher, lambda: next(numbers), None)
    return method


class Drive:
    """Trains whatever a method asks for, and checks every answer."""

    def __init__(self, made: ExperimentConfig) -> None:
        self.config = made
        self.numbers = itertools.count(1)
        self.method = build(made, self.numbers)
        self.training: dict[int, int] = {}
        self.open: set[int] = set()
        self.targets: dict[int, list[int]] = defaultdict(list)
        self.created = 0
        self.hear(self.method.start(), None)

    def hear(self, operations: list[Operation], reporter: int | None, reopens: bool = False) -> None:
        before = len(self.training)
        if reporter is not None:
            answers = [op for op in operations if op.trial_id == reporter and isinstance(op, Continue | Pause | Close)]
            assert len(answers) == 1, f"trial {reporter} was answered by {answers}"
        for operation in operations:
            match operation:
                case Create(trial, length) | Clone(trial, length, _):
                    assert trial == self.created + 1
                    self.created += 1
                    self.open.add(trial)
                    self._train(trial, length)
                case Continue(trial, length):
                    assert reopens or trial in self.open
                    self.open.add(trial)
                    assert length > self.targets[trial][-1], "a target is above the one before"
                    self._train(trial, length)
                case Close(trial):
                    assert trial not in self.training
                    self.open.remove(trial)
                case Pause(trial):
                    assert trial not in self.training
                    assert reopens or trial in self.open
                    self.open.add(trial)
        limit = self.config.searcher.max_concurrent_trials
        if limit:
            assert len(self.training) <= max(limit, before + (reporter is not None))
        assert 0 <= self.method.progress() <= 1 + 1e-9

    def _train(self, trial: int, length: int) -> None:
        assert trial not in self.training
        assert 1 <= length <= self.config.searcher.longest.amount, "nobody trains beyond max_length"
        self.training[trial] = length
        self.targets[trial].append(length)

    def finish(self, trial: int, metric: float) -> None:
        self.hear(self.method.validation_completed(trial, self.training.pop(trial), metric), trial)

    def fail(self, trial: int, reason: ExitReason) -> None:
        del self.training[trial]
        self.open.remove(trial)
        self.hear(self.method.trial_exited(trial, reason), None)

    def grow(self, dice: Any) -> None:
        """More trials, longer ones, more or fewer at a time: each or none of it."""
        old = self.config.searcher
        wish: dict[str, Any] = {}
        if "max_trials" in type(old).model_fields and old.max_trials:
            wish["max_trials"] = old.max_trials + dice.choice([0, 1, 7, 30])
        if dice.random() < 0.5:
            amount = self.config.searcher.longest.amount * dice.choice([1, 2, 5])
            wish["max_length"] = Length(unit=self.config.searcher.longest.unit, amount=amount)
        wish["max_concurrent_trials"] = dice.choice([0, old.max_concurrent_trials, 3, 8])
        if rungs := getattr(self.method, "rungs", None):
            wish["bracket_rungs"] = list(rungs)
        known = {name: value for name, value in wish.items() if name in type(old).model_fields}
        self.config = self.config.model_copy(update={"searcher": old.model_copy(update=known)})
        self.hear(self.method.change(self.config.searcher), None, reopens=True)

    def restart(self) -> None:
        """Put the method away as JSON, and go on with the one that is read back."""
        written = json.dumps(self.method.snapshot(), allow_nan=False)
        self.method = build(self.config, self.numbers)
        self.method.restore(json.loads(written))
        assert json.dumps(self.method.snapshot()) == written


def with_longest(searcher: dict[str, Any]) -> ExperimentConfig:
    if searcher["name"] == "pbt":
        raw = config({"max_length": 1}).to_json()
        return parse({**raw, "searcher": {"metric": "loss", **searcher}})
    return config(searcher)


@settings(max_examples=300)
@given(st.data(), searchers())
def test_every_result_is_answered_once_and_every_search_ends(data: st.DataObject, searcher: dict[str, Any]) -> None:
    drive = Drive(with_longest(searcher))
    invalid = 0
    steps = 0
    while drive.training:
        steps += 1
        assert steps < 5000
        trial = data.draw(st.sampled_from(sorted(drive.training)))
        fate = data.draw(st.sampled_from(["result"] * 6 + ["failed", "invalid", "restart"]))
        if fate == "restart":
            drive.restart()
        elif fate == "failed":
            drive.fail(trial, ExitReason.RESTARTS_USED_UP)
        elif fate == "invalid" and invalid < 5:
            invalid += 1
            drive.fail(trial, ExitReason.INVALID_HYPERPARAMETERS)
        else:
            drive.finish(trial, data.draw(st.sampled_from([0.0, 1.0, 2.0, 3.0])))
    assert drive.open == set()


GROWING = ("async_halving", "sync_halving", "adaptive_asha", "adaptive_simple", "adaptive")


@settings(max_examples=200)
@given(st.randoms(use_true_random=False), searchers().filter(lambda searcher: searcher["name"] in GROWING))
def test_a_search_that_grows_at_any_point_ends_with_every_rung_promoted(dice: Any, searcher: dict[str, Any]) -> None:
    drive = Drive(with_longest(searcher))
    for _ in range(3):
        for _ in range(dice.randrange(60)):
            if drive.training:
                drive.finish(dice.choice(sorted(drive.training)), dice.random())
        drive.grow(dice)
        drive.restart()
    while drive.training:
        drive.finish(dice.choice(sorted(drive.training)), dice.random())
    assert drive.open == set()
    promoted_the_best(drive)


@settings(max_examples=200)
@given(st.randoms(use_true_random=False), searchers())
def test_a_method_that_is_restored_at_any_point_decides_as_one_that_never_stopped(
    dice: Any, searcher: dict[str, Any]
) -> None:
    made = with_longest(searcher)
    first, second = Drive(made), Drive(made)
    while first.training:
        trial, metric = dice.choice(sorted(first.training)), dice.random()
        if dice.random() < 0.3:
            second.restart()
        first.finish(trial, metric)
        second.finish(trial, metric)
        assert second.training == first.training
    assert second.targets == first.targets


@settings(max_examples=150)
@given(st.randoms(use_true_random=False), searchers())
def test_in_the_end_every_rung_has_promoted_its_best(dice: Any, searcher: dict[str, Any]) -> None:
    drive = Drive(with_longest(searcher))
    while drive.training:
        drive.finish(dice.choice(sorted(drive.training)), dice.random())
    promoted_the_best(drive, exactly=True)


def promoted_the_best(drive: Drive, exactly: bool = False) -> None:
    methods = drive.method.brackets if isinstance(drive.method, Brackets) else [drive.method]
    for method in methods:
        if isinstance(method, AsyncHalving) and not method._stop_once:
            for rung in method._rungs[:-1]:
                best = [rung.at(rank) for rank in range(math.floor(len(rung) / method._divisor))]
                assert set(best) <= rung.promoted
        if isinstance(method, SyncHalving):
            for rung, places in zip(method._rungs[:-1], method._populations[1:], strict=True):
                best = [rung.at(rank) for rank in range(places)]
                assert set(best) <= rung.promoted
                assert not exactly or len(rung.promoted) == places
