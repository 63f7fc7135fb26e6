"""`etude config check`, and the command as a whole."""

import json
from pathlib import Path

from typer.testing import CliRunner

from etude import __version__
from etude.cli.main import app

EXAMPLES = Path(__file__).parents[4] / "examples"
RUNNER = CliRunner()


def test_a_good_configuration_is_summed_up() -> None:
    done = RUNNER.invoke(app, ["config", "check", str(EXAMPLES / "digits" / "adaptive.yaml")])
    assert done.exit_code == 0
    assert "is fine: async_halving search for accuracy" in done.stdout


def test_as_json_it_is_the_whole_configuration_with_defaults() -> None:
    done = RUNNER.invoke(app, ["config", "check", "--json", str(EXAMPLES / "digits" / "adaptive.yaml")])
    told = json.loads(done.stdout)
    assert told["valid"]
    assert told["config"]["searcher"]["max_concurrent_trials"] == 16


def test_every_mistake_is_told_with_its_place(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("entrypoint: a:B\nsearcher: {name: random, metric: loss, max_length: 0}\nmax_restart: 1\n")
    done = RUNNER.invoke(app, ["config", "check", str(bad)])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "has 3 mistakes" in done.stderr
    assert "line 3: max_restart: unknown field; did you mean 'max_restarts'?" in done.stderr
    told = json.loads(RUNNER.invoke(app, ["config", "check", "--json", str(bad)]).stdout)
    assert not told["valid"]
    places = {(error["path"], error["line"]) for error in told["errors"]}
    assert places == {("searcher.max_length", 2), ("searcher.max_trials", 2), ("max_restart", 3)}


def test_what_is_accepted_and_not_acted_upon_is_named(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "entrypoint: a:B\nsearcher: {name: single, metric: loss, max_length: 1}\n"
        "profiling: {enabled: true}\nbind_mounts: []\nenvironment: {image: torch}\n"
    )
    done = RUNNER.invoke(app, ["config", "check", str(config)])
    assert "accepted, but not acted upon: profiling, environment.image" in done.stdout


def test_the_version_and_the_commands_are_told() -> None:
    assert RUNNER.invoke(app, ["--version"]).stdout.strip() == __version__
    shown = RUNNER.invoke(app, ["--help"]).stdout
    assert all(command in shown for command in ("run", "experiment", "config"))


def test_run_needs_a_configuration_or_something_to_resume() -> None:
    done = RUNNER.invoke(app, ["run"])
    assert done.exit_code == 2
    assert "give CONFIG and MODEL_DIR, or --resume ID" in done.stderr
