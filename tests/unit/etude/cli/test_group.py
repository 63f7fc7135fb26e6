"""Commands that are shortened."""

import pytest
from typer.testing import CliRunner

from etude.cli.main import app

RUNNER = CliRunner()


@pytest.mark.parametrize(
    ("shortened", "meant"),
    [
        ("e ls", "List experiments"),
        ("exp desc", "Show an experiment"),
        ("experiment unarch", "Show it in lists again"),
        ("t logs", "Print what a trial wrote"),
        ("ch rm", "Delete"),
    ],
)
def test_a_beginning_that_only_one_command_has_is_enough(shortened: str, meant: str) -> None:
    shown = RUNNER.invoke(app, [*shortened.split(), "--help"])
    assert shown.exit_code == 0, shown.output
    assert meant in shown.output


def test_a_beginning_that_several_have_lists_them() -> None:
    refused = RUNNER.invoke(app, ["c", "ls"])
    assert refused.exit_code == 2
    assert "'c' may be config, checkpoint" in refused.output


def test_a_name_in_full_is_that_command_though_others_begin_so() -> None:
    assert "Free its slots" in RUNNER.invoke(app, ["experiment", "pause", "--help"]).output
    assert RUNNER.invoke(app, ["experiment", "nothing"]).exit_code == 2
