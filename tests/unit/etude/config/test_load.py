"""Configurations from YAML: what is accepted, and every mistake with its place."""

from pathlib import Path

import pytest

from etude.config import ConfigError, ExperimentConfig, load, loads, parse
from etude.events import Length, Unit

EXAMPLES = Path(__file__).parents[4] / "examples"
MINIMAL = """\
entrypoint: model_def:Trial
searcher:
  name: single
  metric: loss
  max_length: 100
"""


def mistakes(text: str) -> dict[str, tuple[int | None, str]]:
    """Path to (line, message) of every mistake."""
    with pytest.raises(ConfigError) as caught:
        loads(text, "test.yaml")
    return {problem.path: (problem.line, problem.message) for problem in caught.value.problems}


def test_little_is_required_and_the_rest_has_defaults() -> None:
    config = loads(MINIMAL)
    assert config.searcher.max_length == Length.batches(100)
    assert config.searcher.smaller_is_better
    assert config.searcher.max_concurrent_trials == 16
    assert config.resources.slots_per_trial == 1
    assert config.resources.resource_pool == "default"
    assert (config.max_restarts, config.scheduling_unit) == (5, 100)
    assert config.checkpoint_storage.save_trial_best == 1


@pytest.mark.parametrize("example", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda path: path.name)
def test_every_example_loads(example: Path) -> None:
    assert isinstance(load(example), ExperimentConfig)


def test_a_configuration_survives_json() -> None:
    config = load(EXAMPLES / "digits" / "adaptive.yaml")
    assert parse(config.to_json()) == config


def test_all_mistakes_are_told_at_once_with_path_and_line() -> None:
    found = mistakes(
        """\
entrypoint: model_def:Trial
hyperparameters:
  lr: {type: log, minval: -1, maxval: -3}
  width:
    type: int
    minval: 1
    maxval: ten
  act: {type: categorical, vals: []}
searcher:
  name: random
  metric: loss
  max_length: {miles: 3}
  max_trials: 0
max_restarts: -1
"""
    )
    assert found["hyperparameters.lr"] == (3, "minval -1.0 is above maxval -3.0; swap them")
    assert found["hyperparameters.width.maxval"][0] == 7
    assert "got 'ten'" in found["hyperparameters.width.maxval"][1]
    assert found["hyperparameters.act.vals"][0] == 8
    assert "expected a length such as {batches: 100}" in found["searcher.max_length"][1]
    assert found["searcher.max_trials"] == (13, "input should be greater than or equal to 1; got 0")
    assert found["max_restarts"] == (14, "input should be greater than or equal to 0; got -1")
    assert len(found) == 6


@pytest.mark.parametrize(
    ("line", "path", "hint"),
    [
        ("max_restart: 3", "max_restart", "did you mean 'max_restarts'?"),
        ("resources: {slots_pertrial: 1}", "resources.slots_pertrial", "did you mean 'slots_per_trial'?"),
        ("reproducibility: {seed: 1}", "reproducibility.seed", "did you mean 'experiment_seed'?"),
        ("hyperparameters: {a: {type: int, min: 1, minval: 1, maxval: 2}}", "hyperparameters.a.min", "'minval'"),
        (
            "hyperparameters: {a: {type: integer, minval: 1, maxval: 2}}",
            "hyperparameters.a",
            "write {type: int, minval: 1, maxval: 2}",
        ),
        ("zzz: 1", "zzz", "known here: bind_mounts, checkpoint_policy"),
    ],
)
def test_an_unknown_field_names_the_nearest_known_one(line: str, path: str, hint: str) -> None:
    number, message = mistakes(MINIMAL + line)[path]
    assert hint in message
    assert number == 6


def test_an_unknown_field_of_a_searcher_names_one_of_that_searcher() -> None:
    found = mistakes("entrypoint: a:B\nsearcher: {name: random, metric: loss, max_length: 1, max_trial: 3}")
    assert found["searcher.max_trial"] == (2, "unknown field; did you mean 'max_trials'?")
    assert found["searcher.max_trials"][1] == "is required"


def test_an_unknown_searcher_names_the_nearest() -> None:
    found = mistakes("entrypoint: a:B\nsearcher: {name: asynch_halving, metric: loss, max_length: 1}")
    assert found["searcher"] == (2, "no searcher is called 'asynch_halving'; did you mean 'async_halving'?")


def test_a_searcher_needs_a_name() -> None:
    assert "needs a name: single, random" in mistakes("entrypoint: a:B\nsearcher: {metric: loss}")["searcher"][1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1,\nb: }", "is not YAML"),
        ("a: 1\na: 2", "duplicate key"),
        ("- 1", "expected a mapping"),
        ("", "expected a mapping"),
        ("!!python/object:os.system x", "could not determine a constructor"),
    ],
)
def test_what_is_no_mapping_is_refused(text: str, message: str) -> None:
    assert message in mistakes(text)["file"][1]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml has 1 mistake"):
        load(tmp_path / "nothing.yaml")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "binary.yaml")


@pytest.mark.parametrize(
    ("written", "unit", "amount"),
    [
        ("7", Unit.BATCHES, 7),
        ("{batches: 7}", Unit.BATCHES, 7),
        ("{epochs: 2}", Unit.EPOCHS, 2),
        ("{records: 9}", Unit.RECORDS, 9),
    ],
)
def test_lengths_come_in_three_units(written: str, unit: Unit, amount: int) -> None:
    config = loads(MINIMAL.replace("100", written))
    assert config.searcher.max_length == Length(unit=unit, amount=amount)


@pytest.mark.parametrize(
    ("searcher", "path", "message"),
    [
        (
            "{name: async_halving, metric: l, max_length: 2, num_rungs: 3, max_trials: 4}",
            "searcher",
            "3 rungs do not fit",
        ),
        (
            "{name: adaptive_asha, metric: l, max_length: 3, max_trials: 4, bracket_rungs: [5]}",
            "searcher",
            "bracket_rungs: 5",
        ),
        (
            "{name: adaptive_asha, metric: l, max_length: 9, max_trials: 4, divisor: 1}",
            "searcher.divisor",
            "greater than 1",
        ),
        (
            "{name: adaptive, metric: l, max_length: {epochs: 9}, budget: 50}",
            "searcher",
            "in the unit of max_length (epochs)",
        ),
        ("{name: sync_halving, metric: l, max_length: 9, num_rungs: 2}", "searcher", "give max_trials or budget"),
        (
            "{name: median_stopping, metric: l, max_length: 9, max_trials: 3, interval: {epochs: 1}}",
            "searcher",
            "interval must",
        ),
        (
            "{name: pbt, metric: l, population_size: 0, length_per_round: 0, num_rounds: 2}",
            "searcher.population_size",
            "got 0",
        ),
        ("{name: custom, metric: l, method: 'a b'}", "searcher.method", "pattern"),
    ],
)
def test_a_search_that_makes_no_sense_is_told_why(searcher: str, path: str, message: str) -> None:
    found = mistakes(f"entrypoint: a:B\nsearcher: {searcher}")
    assert message in found[path][1]
    assert found[path][0] == 2


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ("constraints: ['x <= y']", "constraints.0", "names y, which is no hyperparameter; there are: x"),
        ("constraints: ['f(x)']", "constraints.0", "'f(x)' is not allowed"),
    ],
)
def test_constraints_that_make_no_sense_are_told(fields: str, path: str, message: str) -> None:
    space = "hyperparameters: {x: {type: int, minval: 1, maxval: 2}}\n"
    found = mistakes(MINIMAL + space + fields)
    assert any(message in told for _, told in found.values()), found
    assert path in found


def test_conditions_and_priors_that_make_no_sense_are_told() -> None:
    found = mistakes(
        MINIMAL + "hyperparameters:\n"
        "  x: {type: int, minval: 1, maxval: 2, prior: 7}\n"
        "  c: {type: categorical, vals: [a, b], default: z}\n"
        "  y: {type: int, minval: 1, maxval: 2, condition: 'x = 3'}\n"
    )
    assert found["hyperparameters.x"] == (7, "prior 7 is not between 1 and 2")
    assert found["hyperparameters.c"] == (8, "prior 'z' is none of vals")
    assert found["hyperparameters.y.condition"][0] == 9


def test_a_trial_that_could_never_run_is_a_mistake() -> None:
    found = mistakes(MINIMAL + "resources: {slots_per_trial: 3, max_slots: 2}")
    assert "slots_per_trial 3.0 is above max_slots 2" in found["resources"][1]


def test_a_grid_needs_counts() -> None:
    found = mistakes(
        "entrypoint: a:B\nsearcher: {name: grid, metric: loss, max_length: 1}\n"
        "hyperparameters: {lr: {type: double, minval: 0, maxval: 1}, net: {w: {type: int, minval: 1, maxval: 2}}}"
    )
    assert "a grid needs a count or a step for lr, net.w" in found["configuration"][1]


def test_one_source_at_most() -> None:
    found = mistakes(MINIMAL + "  source_trial_id: 1\n  source_checkpoint_uuid: x\n")
    assert "not both" in found["searcher"][1]


def test_an_exponent_that_overflows_is_a_mistake() -> None:
    found = mistakes(MINIMAL + "hyperparameters: {lr: {type: log, minval: 0, maxval: 400}}")
    assert "10.0 ** 400.0 is too large" in found["hyperparameters.lr"][1]


def test_the_old_name_of_the_scheduling_unit_is_understood() -> None:
    assert loads(MINIMAL + "batches_per_step: 50").scheduling_unit == 50


@pytest.mark.parametrize(
    ("entrypoint", "script"),
    [("model_def:Trial", False), ("a.b:Outer.Inner", False), ("python train.py", True), ("[python, x.py]", True)],
)
def test_an_entrypoint_is_a_class_or_a_command(entrypoint: str, script: bool) -> None:
    assert loads(MINIMAL.replace("model_def:Trial", entrypoint)).runs_script is script


def test_environment_variables_may_differ_by_kind_of_slot() -> None:
    both = loads(MINIMAL + "environment: {environment_variables: [A=1, B=x=y]}").environment
    assert both.variables("cpu") == both.variables("cuda") == {"A": "1", "B": "x=y"}
    split = loads(MINIMAL + "environment: {environment_variables: {cpu: [A=1], cuda: [A=2]}}").environment
    assert (split.variables("cpu"), split.variables("cuda")) == ({"A": "1"}, {"A": "2"})


@pytest.mark.parametrize("name", ["randon", "qwertz"])
def test_a_wrong_searcher_hides_none_of_its_mistakes(name: str) -> None:
    found = mistakes(f"entrypoint: a:B\nsearcher: {{name: {name}, metric: loss, max_lenght: 1, max_trials: 0}}")
    assert {"searcher", "searcher.max_lenght", "searcher.max_trials"} <= found.keys()
    assert "did you mean 'max_length'?" in found["searcher.max_lenght"][1]


def test_a_searcher_without_a_name_hides_none_of_its_mistakes() -> None:
    found = mistakes("entrypoint: a:B\nsearcher: {metric: '', max_length: 1, max_trials: 3}")
    assert {"searcher", "searcher.metric"} <= found.keys()


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ("hyperparameters: {clip: .inf}", "hyperparameters.clip"),
        ("hyperparameters: {clip: [1, .nan]}", "hyperparameters.clip.1"),
        ("hyperparameters: {clip: {type: categorical, vals: [-.inf, 1]}}", "hyperparameters.clip.vals.0"),
        ("hyperparameters: {x: {type: double, minval: 0, maxval: .inf}}", "hyperparameters.x.maxval"),
        ("hyperparameters: {x: {type: double, minval: 0, maxval: 1, step: .nan}}", "hyperparameters.x.step"),
        ("resources: {weight: .inf}", "resources.weight"),
        ("preemption_timeout: .inf", "preemption_timeout"),
        ("data: {threshold: .nan}", "data.threshold"),
    ],
)
def test_what_json_cannot_say_is_a_mistake(fields: str, path: str) -> None:
    found = mistakes(MINIMAL + fields)
    assert list(found) == [path]
    assert "cannot be sent or stored; write a number, or text such as" in found[path][1]


@pytest.mark.parametrize(
    ("searcher", "hyperparameters", "warning"),
    [
        ("random, max_trials: 3", "{lr: [0.1, 0.2]}", "no hyperparameter varies"),
        ("random, max_trials: 3", "{}", "no hyperparameter varies"),
        (
            "random, max_trials: 3",
            "{lr: {type: log, minval: 1e-5, maxval: 0.1}}",
            "values lie between 1.00002 and 1.25893; for values between 1e-05 and 0.1 write minval: -5, maxval: -1",
        ),
    ],
)
def test_what_is_hardly_meant_is_warned_of(searcher: str, hyperparameters: str, warning: str) -> None:
    [told] = loads(
        f"entrypoint: a:B\nsearcher: {{name: {searcher}, metric: l, max_length: 1}}\nhyperparameters: {hyperparameters}"
    ).warnings
    assert warning in told


@pytest.mark.parametrize(
    ("searcher", "hyperparameters"),
    [
        ("single", "{}"),
        ("grid", "{lr: 1}"),
        ("random, max_trials: 3", "{lr: {type: log, minval: -4, maxval: -1}}"),
        ("random, max_trials: 3", "{n: {type: log, base: 2, minval: 1, maxval: 10}}"),
        ("random, max_trials: 3", "{n: {type: log, minval: 0, maxval: 2}}"),
    ],
)
def test_what_is_meant_is_not_warned_of(searcher: str, hyperparameters: str) -> None:
    text = (
        f"entrypoint: a:B\nsearcher: {{name: {searcher}, metric: l, max_length: 1}}\nhyperparameters: {hyperparameters}"
    )
    assert loads(text).warnings == []
