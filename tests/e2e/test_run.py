"""`etude run`: everything in one process, as a newcomer meets it."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from etude.store import SqliteStore
from etude.store.schema import SEARCH_LOG
from etude_trial_runner.preload import PYTORCH
from tests.e2e.audit import audit
from tests.e2e.installation import EXAMPLES
from tests.models import LINE, ROGUE, line_config, rogue_config

DIGITS = EXAMPLES / "digits"
ETUDE = [sys.executable, "-c", "from etude.cli.main import main; main()"]

HERE = {
    "COLUMNS": "160",
    "OMP_WAIT_POLICY": "passive",  # threads that spin while they wait take the cores from those they wait for
}


class Home:
    """A folder that `etude run` works in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.preloaded: tuple[str, ...] = ()

    def preload(self, *modules: str) -> None:
        """Let runs that are started from now on import torch, and what else a model needs, before its trials do."""
        self.preloaded = (*PYTORCH, *modules)

    @property
    def environment(self) -> dict[str, str]:
        """What runs are told."""
        return {**os.environ, **HERE, "ETUDE_PRELOAD": json.dumps(self.preloaded)}

    def start(self, *arguments: object) -> "subprocess.Popen[str]":
        """`etude run` in the background."""
        return subprocess.Popen(
            [*ETUDE, "run", *map(str, arguments)],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def run(self, *arguments: object) -> "subprocess.CompletedProcess[str]":
        """`etude run` to its end; no process may be left behind."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=600)
        self.check_nothing_is_left()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def check_nothing_is_left(self) -> None:
        """Nobody works in this folder any more."""
        deadline = time.monotonic() + 10
        while left := [p for p in psutil.process_iter(["cmdline", "cwd"]) if self._is_ours(p)]:
            assert time.monotonic() < deadline, f"left behind: {[p.info['cmdline'] for p in left]}"
            time.sleep(0.1)

    def commands(self) -> list[list[str]]:
        """Those of all processes that work in this folder."""
        there = [process.info for process in psutil.process_iter(["cmdline", "cwd"])]
        return [info["cmdline"] for info in there if str(info["cwd"]).startswith(str(self.folder))]

    def _is_ours(self, process: psutil.Process) -> bool:
        return str(process.info["cwd"]).startswith(str(self.folder)) and process.status() != psutil.STATUS_ZOMBIE

    async def decisions(self, experiment_id: str) -> list[dict[str, Any]]:
        """The search log of an experiment."""
        store = SqliteStore(self.folder / ".etude" / "etude.db")
        await store.open()
        found = await store.find(SEARCH_LOG, {"experiment_id": experiment_id}, ("seq",))
        await store.close()
        return found

    async def hyperparameters(self, experiment_id: str) -> dict[int, dict[str, Any]]:
        """Those of every trial."""
        events = [event for decision in await self.decisions(experiment_id) for event in decision["events"]]
        requested = [event["data"] for event in events if event["type"] == "etude.trial.requested.v1"]
        return {data["trial_id"]: data["hyperparameters"] for data in requested}

    def until(self, condition: Any, what: str, seconds: float = 60.0) -> None:
        """Wait for something to happen."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds} s for: {what}"
            time.sleep(0.05)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def test_the_same_seed_gives_every_trial_the_same_hyperparameters(tmp_path: Path) -> None:
    config = tmp_path / "adaptive.yaml"
    text = (DIGITS / "adaptive.yaml").read_text()
    config.write_text(text.replace("max_trials: 16", "max_trials: 5").replace("batches: 720", "batches: 180"))
    outcomes, drawn = [], []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        home = Home(tmp_path / name)
        home.preload("sklearn.datasets")
        done = home.run(config, DIGITS, "--json", "--slots", "1")
        assert done.returncode == 0, done.stderr
        [line] = done.stdout.splitlines()
        outcome = json.loads(line)
        drawn.append(await home.hyperparameters(outcome["experiment_id"]))
        audit(await home.decisions(outcome["experiment_id"]))
        outcomes.append(outcome)
    assert drawn[0] == drawn[1]
    assert sorted(drawn[0]) == list(range(1, 6))
    for outcome in outcomes:
        assert set(outcome) == {"experiment_id", "state", "trials", "best"}
        assert (outcome["state"], outcome["trials"]) == ("completed", 5)
        assert set(outcome["best"]) == {"trial_id", "metric", "value", "hyperparameters", "length", "checkpoint"}
    assert outcomes[0]["best"]["value"] == outcomes[1]["best"]["value"]  # the same training, too


def test_a_run_tells_its_progress_and_where_the_best_checkpoint_lies(home: Home) -> None:
    done = home.run(line_config(home.folder), LINE)
    assert done.returncode == 0, done.stderr
    assert "completed: 4 trials" in done.stdout
    assert "best hyperparameters" in done.stdout
    exported = Path(done.stdout.split("checkpoint: ")[1].splitlines()[0])
    assert (exported / "length.txt").read_text() == "5"
    manifest = json.loads((exported / "manifest.json").read_text())
    assert manifest["files"][0]["path"] == "length.txt"


async def test_ctrl_c_pauses_and_resume_goes_on(home: Home) -> None:
    config = line_config(home.folder, trials=6, length=20, seconds=0.05)
    process = home.start(config, LINE, "--slots", "2")
    database = home.folder / ".etude" / "etude.db"
    home.until(lambda: database.exists() and list((home.folder / ".etude").glob("artifacts/checkpoints/*/*/*")), "work")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "kept all" in out
    command = out.split("Go on with: ")[1].split()
    assert command[:3] == ["etude", "run", "--resume"]
    home.check_nothing_is_left()
    done = home.run("--resume", command[3], "--json")
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["experiment_id"], outcome["state"], outcome["trials"]) == (command[3], "completed", 6)
    decisions = await home.decisions(command[3])
    audit(decisions)
    causes = [decision["cause"]["type"] for decision in decisions]
    assert "etude.experiment.pause-requested.v1" in causes
    assert "etude.experiment.activate-requested.v1" in causes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_of_its_processes_loses_nothing(home: Home, number: signal.Signals) -> None:
    process = home.start(line_config(home.folder, trials=2, length=600, seconds=0.05), LINE, "--slots", "2")
    stored = home.folder / ".etude" / "artifacts" / "checkpoints"
    home.until(lambda: len({file.parent.parent for file in stored.glob("*/*/*/manifest.json")}) == 2, "of both trials")
    itself = psutil.Process(process.pid)
    for one in [*reversed(itself.children(recursive=True)), itself]:
        one.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert re.search(r"Paused: all 2 trials kept all they had trained\. Go on with: etude run --resume", out), out
    assert "Traceback" not in out
    home.check_nothing_is_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_starts_begins_nothing(home: Home, number: signal.Signals) -> None:
    process = home.start(line_config(home.folder), LINE)
    home.until(lambda: len(psutil.Process(process.pid).children()) == 1, "zygote")
    for one in [*psutil.Process(process.pid).children(), psutil.Process(process.pid)]:
        one.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "Interrupted before the experiment began; nothing was started.\n")
    assert "Stopping" in out
    home.check_nothing_is_left()


async def test_a_run_that_was_killed_again_and_again_is_resumed(home: Home) -> None:
    process = home.start(line_config(home.folder, trials=12, length=10, seconds=0.03), LINE, "--slots", "2")
    home.until(lambda: list((home.folder / ".etude").glob("artifacts/checkpoints/*/*/*")), "checkpoints")
    [experiment] = (home.folder / ".etude" / "artifacts" / "checkpoints").iterdir()
    for _ in range(3):
        process.kill()
        process.wait()
        home.check_nothing_is_left()
        made = len(await home.decisions(experiment.name))
        process = home.start("--resume", experiment.name, "--slots", "2")
        deadline = time.monotonic() + 100  # far less than the 300 s after which a repair would help
        while len(await home.decisions(experiment.name)) <= made + 1:  # the activation is one
            assert time.monotonic() < deadline, "the search stands still"
            assert process.poll() is None, "it is over"
            await asyncio.sleep(0.1)
    process.kill()
    process.wait()
    done = home.run("--resume", experiment.name, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "completed"
    audit(await home.decisions(experiment.name))


def test_what_a_killed_run_left_is_removed_by_the_next(home: Home, tmp_path: Path) -> None:
    model, temporary = tmp_path / "model", tmp_path / "tmp"
    model.mkdir()
    temporary.mkdir()
    (model / "train.py").write_text(
        "import pathlib, subprocess, etude.core\n"
        "with etude.core.init() as run:\n"
        "    killed = pathlib.Path(run.get_hparam('mark'))\n"
        "    for operation in run.searcher.operations():\n"
        "        if not killed.exists():  # what was saved just before may be unknown to the next life\n"
        "            with run.save_checkpoint(1): pass\n"
        "            subprocess.Popen(['sleep', '600'], start_new_session=True).wait()\n"
        "        run.report_validation(operation.length, {'loss': 1.0})\n"
    )
    config, mark = tmp_path / "config.yaml", tmp_path / "killed"
    config.write_text(
        f"entrypoint: python train.py\nhyperparameters: {{mark: {mark}}}\n"
        "searcher: {name: single, metric: loss, max_length: 2}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        process = home.start(config, model, "--slots", "1")
        home.until(lambda: list((home.folder / ".etude").glob("artifacts/checkpoints/*/1/*/manifest.json")), "work")
        home.until(lambda: any(command[:1] == ["sleep"] for command in home.commands()), "sleep")
        process.kill()
        process.wait()
        mark.touch()
        [experiment] = (home.folder / ".etude" / "artifacts" / "checkpoints").iterdir()
        assert list(temporary.glob("etude-trial-*"))
        done = home.run("--resume", experiment.name, "--json")
    assert done.returncode == 0, done.stderr
    assert list(temporary.glob("etude-trial-*")) == []
    assert list((home.folder / ".etude" / "runner").glob("assignment-*")) == []


async def test_trials_that_fail_are_restarted_told_and_left_behind(home: Home) -> None:
    config = line_config(home.folder, "raise", "exit", "nan", "missing", "invalid", "good", max_restarts=1)
    done = home.run(config, LINE, "--slots", "1")
    assert done.returncode == 0, done.stderr
    assert "completed: 6 trials" in done.stdout
    assert "trial 1 failed: ValueError: slope 1.0 is too much for me" in done.stdout
    assert 'raise ValueError(f"slope {slope} is too much for me")' in done.stdout
    assert "trial 2 failed: exit code 3" in done.stdout
    assert "trial 3 failed: loss is nan at 5 batches" in done.stdout


def test_an_experiment_without_a_single_result_fails_with_the_reason(home: Home) -> None:
    done = home.run(line_config(home.folder, "raise", max_restarts=0), LINE, "--json")
    assert done.returncode == 1
    outcome = json.loads(done.stdout)
    assert (outcome["state"], outcome["best"]) == ("failed", None)
    assert "no trial of 1 gave a usable result" in outcome["reason"]


def test_a_metric_that_nobody_reports_fails_at_once_and_names_those_that_are_reported(home: Home) -> None:
    done = home.run(line_config(home.folder, trials=50, searcher={"metric": "accuracy"}), LINE, "--json")
    assert done.returncode == 1
    assert "reported others: loss" in json.loads(done.stdout)["reason"]


def test_mistakes_are_told_before_anything_is_made(home: Home) -> None:
    bad = home.folder / "bad.yaml"
    bad.write_text("entrypoint: model_def:Trial\nsercher: {name: random}\nmax_restarts: -1\n")
    empty = home.folder / "empty"
    empty.mkdir()
    done = home.run(bad, empty)
    assert done.returncode == 1
    assert "line 2: sercher: unknown field; did you mean 'searcher'?" in done.stderr
    assert "line 3: max_restarts" in done.stderr
    done = home.run(DIGITS / "const.yaml", empty)
    assert done.returncode == 1
    assert "entrypoint: 'model_def:DigitsTrial' needs model_def.py" in done.stderr
    done = home.run("--resume", "nothing")
    assert done.returncode == 1
    assert "there is no experiment nothing" in done.stderr
    assert sorted(path.name for path in home.folder.iterdir()) == ["bad.yaml", "empty"]


def test_a_custom_search_needs_an_installation(home: Home) -> None:
    searcher = {"name": "custom", "metric": "loss", "method": "mine"}
    done = home.run(line_config(home.folder, whole_searcher=searcher), LINE)
    assert done.returncode == 1
    assert "use etude experiment create" in done.stderr


def test_more_slots_than_the_machine_has_is_a_mistake(home: Home) -> None:
    config = line_config(home.folder, resources={"slots_per_trial": 2})
    done = home.run(config, LINE, "--slots", "1")
    assert done.returncode == 1
    assert "2 slots are more than this machine's 1" in done.stderr


def test_the_plain_script_tunes_like_the_trial_class(home: Home) -> None:
    home.preload("sklearn.datasets")
    done = home.run(DIGITS / "script.yaml", DIGITS, "--json")
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["best"]["value"] > 0.9
    assert outcome["best"]["length"] == 8


def rehearse(home: Home, model: Path, config: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [*ETUDE, "trial", "test", str(model), "--config", str(config), *options]
    return subprocess.run(
        command, cwd=home.folder, env=home.environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("config", ["adaptive.yaml", "script.yaml"])
def test_a_rehearsal_runs_one_batch_of_everything(home: Home, config: str) -> None:
    home.preload("sklearn.datasets")
    done = rehearse(home, DIGITS, DIGITS / config, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert len(report["passed"]) == 2
    assert report["metrics"]
    assert list(home.folder.iterdir()) == [], "nothing is left behind"


def test_a_rehearsal_shows_what_fails(home: Home) -> None:
    done = rehearse(home, LINE, line_config(home.folder, "exit", "raise", length=3))
    assert done.returncode == 0, "a length of one is too short for this one to fail"
    done = rehearse(home, ROGUE, rogue_config(home.folder, "report_nonsense"))
    assert done.returncode == 1
    assert "fails: train one batch, validate and save a checkpoint: etude.core.errors.MetricError" in done.stdout
    assert "metric 'loss', which the search is for, is [1, 2, 3]; report a number" in done.stdout


@pytest.mark.parametrize(
    ("example", "library"),
    [
        ("lightning", "lightning.pytorch"),
        ("transformers", "transformers"),
        ("keras", "keras"),
        ("scikit_learn", "sklearn.ensemble"),
    ],
)
def test_the_example_of_each_adapter_finds_a_good_model(
    example: str, library: str, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")  # which Keras reads when it is imported, here before any trial is
    home.preload(library, "sklearn.datasets")
    done = home.run(EXAMPLES / example / "adaptive.yaml", EXAMPLES / example, "--json")
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["state"] == "completed"
    assert outcome["best"]["value"] > 0.6
    assert outcome["best"]["checkpoint"]


def test_a_trainer_of_transformers_trains_on_two_slots(home: Home, tmp_path: Path) -> None:
    config = tmp_path / "two.yaml"
    text = (EXAMPLES / "transformers" / "adaptive.yaml").read_text().replace("max_trials: 6", "max_trials: 1")
    config.write_text(f"{text}resources: {{slots_per_trial: 2}}\nmin_validation_period: {{batches: 70}}\n")
    home.preload("transformers", "sklearn.datasets")
    done = home.run(config, EXAMPLES / "transformers", "--json", "--slots", "2")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["best"]["length"] == 200
