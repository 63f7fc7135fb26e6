"""What the terminal shows."""

import io
from typing import Any

import pytest
from rich.console import Console

from etude_standalone.display import Display


class Queries:
    """Answers with what a test says."""

    def __init__(self, trials: list[dict[str, Any]]) -> None:
        self._trials = trials

    async def trials(self, experiment_id: str, state: str, limit: int, cursor: None) -> tuple[list[dict], None]:
        return [trial for trial in self._trials if trial["state"] == state][:limit], None

    async def placement(self, trial: dict[str, Any]) -> dict[str, str]:
        return {"reason": f"trial {trial['trial_id']} waits for slots"}

    async def best_trials(self, experiment_id: str, limit: int) -> list[dict]:
        return [trial for trial in self._trials if trial["best"]][:limit]


class System:
    """Two slots and some trials."""

    def __init__(self, *trials: dict[str, Any]) -> None:
        self.slots = [0, 1]
        self.queries = Queries(list(trials))


def trial(trial_id: int, state: str, value: float | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "trial_id": trial_id,
        "state": state,
        "target": {"batches": 100},
        "trained": 50,
        "length": 50,
        "metrics": {"loss": value} if value is not None else None,
        "best": {"value": value, "length": 50} if value is not None else None,
        "hyperparameters": {"lr": 0.123456789, "net": {"width": 8}},
        "detail": None,
        "log_tail": [],
        **fields,
    }


def experiment(**fields: Any) -> dict[str, Any]:
    about = {"state": "active", "progress": 0.5, "trials": 3, "metric": "loss", "best": None, "reason": None}
    return {**about, "config": {"searcher": {"max_trials": 4}}, **fields}


async def shown(system: System, about: dict[str, Any], at_end: bool, terminal: bool = True) -> str:
    out = io.StringIO()
    console = Console(file=out, width=140, force_terminal=terminal, color_system=None)
    with Display(console, system, "exp", quiet=False) as display:  # type: ignore[arg-type]
        if not at_end:
            await display.refresh(about)
    if at_end:
        await display.summary(about, None)
    return out.getvalue()


async def test_while_it_runs_there_is_a_line_for_each_running_trial() -> None:
    best = {"metric": "loss", "value": 0.25, "trial_id": 7}
    text = await shown(System(trial(1, "running", 0.5), trial(2, "running")), experiment(best=best), at_end=False)
    assert "experiment exp on 2 slots" in text
    assert "50%" in text
    assert "3 trials" in text
    assert "2/2 slots busy" in text
    assert "best loss = 0.25 (trial 7)" in text
    assert "lr=0.1235 net.width=8" in text


async def test_at_the_end_there_are_the_best_trials_and_what_failed() -> None:
    best = {"metric": "loss", "value": 0.25, "trial_id": 1, "hyperparameters": {"lr": 0.1, "net": {"width": 8}}}
    failed = trial(2, "errored", detail="ValueError: [no]", log_tail=["Traceback", "  ValueError: [no]"])
    text = await shown(
        System(trial(1, "finished", 0.25), failed), experiment(state="completed", best=best, trials=1), at_end=True
    )
    assert "completed: 1 trial\n" in text
    assert "best hyperparameters (trial 1)" in text
    assert "net.width" in text
    assert "trial 2 failed: ValueError: [no]" in text
    assert "  Traceback" in text
    assert "trained" in text
    assert "best at" in text
    assert "look at it: etude ui, etude experiment describe exp" in text


async def test_in_a_pipe_there_are_plain_lines_when_something_is_new(monkeypatch) -> None:
    monkeypatch.setattr("etude_standalone.display._LINE_SECONDS", 0.0)
    system, out = System(trial(1, "running", 0.5)), io.StringIO()
    console = Console(file=out, width=140, force_terminal=False)
    with Display(console, system, "exp", quiet=False) as display:  # type: ignore[arg-type]
        for progress in (0.0, 0.0, 0.5):
            await display.refresh(experiment(progress=progress))
    assert out.getvalue().splitlines() == [
        "experiment exp on 2 slots",
        "active 0%, 3 trials, no result yet; running: 1 at 50",
        "active 50%, 3 trials, no result yet; running: 1 at 50",
    ]


@pytest.mark.parametrize("terminal", [True, False])
async def test_who_waits_is_told_why(monkeypatch, terminal: bool) -> None:
    monkeypatch.setattr("etude_standalone.display._IDLE_SECONDS", 0.0)
    text = await shown(System(trial(3, "waiting")), experiment(), at_end=False, terminal=terminal)
    assert "trial 3 waits for slots" in text
