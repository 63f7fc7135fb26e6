"""Older dialects mean the same in today's words, and mistakes are told in their author's."""

from typing import Any

import pytest
from ruamel.yaml import YAML

from etude.config import ConfigError, ExperimentConfig, loads, parse
from etude.events import Length


def read(searcher: str, rest: str = "") -> ExperimentConfig:
    return loads(f"entrypoint: m:T\nsearcher: {searcher}\n{rest}")


@pytest.mark.parametrize(
    ("searcher", "rest", "length"),
    [
        ("{name: single, metric: e, max_steps: 12}", "batches_per_step: 50", {"batches": 600}),
        ("{name: single, metric: e, max_steps: 12}", "", {"batches": 1200}),
        ("{name: adaptive, metric: e, target_trial_steps: 8, step_budget: 48}", "", {"batches": 800}),
        ("{name: single, metric: e, max_length: {epochs: 3}}", "", {"epochs": 3}),
        ("{name: single, metric: e, max_time: 81, time_metric: epochs}", "", {"epochs": 81}),
        ("{name: single, metric: e, max_time: 81}", "", {"batches": 81}),
        ("{name: adaptive, metric: e, target_trial_length: 800, budget: 480}", "", {"batches": 800}),
    ],
)
def test_every_dialect_has_its_lengths(searcher: str, rest: str, length: dict[str, int]) -> None:
    assert read(searcher, rest).searcher.longest == Length.model_validate(length)


def test_steps_of_population_based_training() -> None:
    config = read(
        "{name: pbt, metric: e, population_size: 4, steps_per_round: 5, num_rounds: 3, "
        "replace_function: {truncate_fraction: 0.25}, "
        "explore_function: {resample_probability: 0, perturb_factor: 0.1}}",
        "batches_per_step: 10",
    )
    assert config.searcher.length_per_round == Length.batches(50)
    assert config.searcher.longest == Length.batches(150)


def test_periods_of_the_steps_dialect_are_steps() -> None:
    config = read(
        "{name: single, metric: e, max_steps: 12}",
        "batches_per_step: 50\nmin_validation_period: 2\nmin_checkpoint_period: 3",
    )
    assert (config.min_validation_period, config.min_checkpoint_period) == (Length.batches(100), Length.batches(150))
    assert config.scheduling_unit == 50


def test_periods_of_todays_dialect_are_batches() -> None:
    config = read("{name: single, metric: e, max_length: 12}", "min_validation_period: 2")
    assert config.min_validation_period == Length.batches(2)


def test_mistakes_are_told_in_the_words_of_their_author() -> None:
    with pytest.raises(ConfigError) as caught:
        read("{name: single, metric: e, max_steps: many}", "batches_per_step: 0")
    assert {(p.path, p.line) for p in caught.value.problems} == {("searcher.max_steps", 2), ("batches_per_step", 3)}


def test_a_time_metric_of_the_trials_own_is_a_mistake_that_names_those_that_are_understood() -> None:
    with pytest.raises(ConfigError, match="'tokens' is no unit of length; use one that trials report by themselves"):
        read("{name: single, metric: e, max_time: 9, time_metric: tokens}")


def test_what_is_loaded_is_todays_dialect() -> None:
    old = read("{name: adaptive_simple, metric: e, max_steps: 16, max_trials: 8}", "batches_per_step: 50")
    written: Any = old.to_json()
    assert written["searcher"]["max_length"] == {"batches": 800}
    assert "max_steps" not in written["searcher"]
    assert parse(written) == old


def test_the_seed_documents_example_loads() -> None:
    text = """
hyperparameters:
  dropout_probability: {type: double, minval: 0.2, maxval: 0.5}
searcher:
  name: adaptive_simple
  metric: validation_error
  max_steps: 1024
  max_trials: 32
entrypoint: model_def:Trial
"""
    config = parse(YAML(typ="safe").load(text))
    assert config.searcher.longest == Length.batches(102_400)
