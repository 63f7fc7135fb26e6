"""The trials of an experiment in memory."""

from typing import Any

from etude_metrics.api.table import TrialTable
from etude_metrics.views import new_trial


def trial(number: int, version: int, state: str) -> dict[str, Any]:
    return {**new_trial("exp", number), "version": version, "state": state}


def test_what_was_asked_for_earlier_and_comes_later_changes_nothing() -> None:
    table = TrialTable()
    table.take([trial(1, 2, "stopped")], version=2)
    table.take([trial(1, 1, "paused"), trial(2, 1, "running")], version=1)
    assert {number: t["state"] for number, t in table.trials.items()} == {1: "stopped", 2: "running"}
    assert table.version == 2
