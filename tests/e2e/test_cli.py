"""`etude experiment` against a running installation."""

import json
import time
from pathlib import Path
from typing import Any

import aio_pika
import httpx
import pytest

from etude.bus.topology import EVENTS
from etude.events import Envelope, ExperimentCreated, ModelDefinition
from etude.service.clock import utc_now
from tests.e2e.audit import audit
from tests.e2e.installation import Installation
from tests.models import LINE, line_config
from tests.servers.ports import free_port
from tests.servers.rabbitmq import RabbitMQ


def create(installation: Installation, config: Path) -> str:
    """`etude experiment create`; returns the id that it prints."""
    deadline = time.monotonic() + 30
    while True:
        done = installation.etude("experiment", "create", str(config), str(LINE))
        if done.returncode == 0:
            return done.stdout.strip()
        assert "no queue" in done.stderr, done.stderr
        assert time.monotonic() < deadline, done.stderr


def state(installation: Installation, experiment_id: str) -> str:
    return str((installation.ask(f"/experiments/{experiment_id}") or {}).get("state"))


def experiment_ids(installation: Installation) -> set[str]:
    """The experiments that there are."""
    return {experiment["experiment_id"] for experiment in installation.api.get("/experiments")["items"]}


def trial_states(installation: Installation, experiment_id: str) -> dict[str, int]:
    return dict(installation.ask(f"/experiments/{experiment_id}")["trial_states"])


def test_an_experiment_is_created_listed_waited_for_and_described(running: Installation, tmp_path: Path) -> None:
    experiment_id = create(running, line_config(tmp_path, "good", "raise", max_restarts=1, description="two trials"))
    waited = running.etude("experiment", "wait", experiment_id, "--json")
    assert waited.returncode == 0, waited.stderr
    assert json.loads(waited.stdout)["state"] == "completed"
    listed = running.etude("experiment", "list")
    assert experiment_id in listed.stdout
    assert "completed" in listed.stdout
    completed = json.loads(running.etude("experiment", "list", "--state", "completed", "--json").stdout)
    [it] = [experiment for experiment in completed if experiment["experiment_id"] == experiment_id]
    assert (it["trials"], it["owner"]) == (2, "tester")
    assert experiment_id not in running.etude("experiment", "list", "--state", "failed", "--json").stdout
    described = running.etude("experiment", "describe", experiment_id).stdout
    assert "trial 2: ValueError: slope 1.0 is too much for me" in described
    assert "Traceback" in described
    trials = json.loads(running.etude("experiment", "describe", experiment_id, "--json").stdout)["trial_list"]
    assert [(t["state"], t["restarts"]) for t in trials] == [("finished", 0), ("errored", 1)]
    logs = running.api.get(f"/experiments/{experiment_id}/trials/2/logs")["items"]
    restarted = [line["text"] for line in logs if line["text"].startswith("slope")]
    assert restarted == ["slope 1.0, from 0", "slope 1.0, from 2"]  # the second time from its checkpoint


def test_a_searcher_that_knows_only_the_events_decides(running: Installation, tmp_path: Path) -> None:
    running.start_script("raw", Path(__file__).parents[1] / "models" / "raw_searcher.py")
    searcher = {"name": "custom", "metric": "loss", "method": "raw"}
    experiment_id = create(running, line_config(tmp_path, whole_searcher=searcher))
    experiment = running.wait(experiment_id, 60)
    assert (experiment["state"], experiment["trials"]) == ("completed", 4)
    assert trial_states(running, experiment_id) == {"finished": 4}
    assert running.etude("experiment", "replay", experiment_id).returncode == 0


def test_a_search_is_looked_at_again(running: Installation, tmp_path: Path) -> None:
    searcher = {"name": "async_halving", "max_length": 16, "num_rungs": 3, "max_trials": 8}
    experiment_id = create(running, line_config(tmp_path, searcher=searcher))
    assert running.wait(experiment_id, 60)["state"] == "completed"
    told = running.etude("experiment", "decisions", experiment_id).stdout
    assert "experiment created → experiment activated, trial 1 begins, until 1 batches" in told
    assert "is promoted" in told
    assert "and the best 1 go on (4 / 4)" in told
    lines = running.etude("experiment", "decisions", experiment_id, "--trial", "3", "--json").stdout.splitlines()
    assert all("3" in line for line in lines)
    assert 0 < len(lines) < len(told.splitlines())
    done = running.etude("experiment", "replay", experiment_id)
    assert done.returncode == 0, done.stderr
    assert "made again without a difference" in done.stdout
    other = line_config(tmp_path, searcher={"name": "random", "max_length": 16, "max_trials": 4})
    done = running.etude("experiment", "what-if", experiment_id, "--config", str(other))
    assert done.returncode == 0, done.stderr
    assert "what if:    4 trials, 64 batches in all" in done.stdout
    assert "results are at lengths that were not recorded" in done.stdout


def test_an_experiment_is_paused_and_goes_on(running: Installation, tmp_path: Path) -> None:
    experiment_id = create(running, line_config(tmp_path, trials=4, length=20, seconds=0.2))
    running.until(lambda: trial_states(running, experiment_id).get("running") == 2, 30, "two trials run")
    assert running.etude("experiment", "pause", experiment_id).returncode == 0
    running.until(
        lambda: state(running, experiment_id) == "paused" and "running" not in trial_states(running, experiment_id),
        30,
        "the experiment is paused and its slots are free",
    )
    assert running.etude("experiment", "activate", experiment_id).returncode == 0
    assert running.wait(experiment_id, 120)["state"] == "completed"
    audit(decisions(running, experiment_id))


def test_an_experiment_is_changed_and_extended(running: Installation, tmp_path: Path) -> None:
    experiment_id = create(running, line_config(tmp_path, trials=3, searcher={"max_concurrent_trials": 1}))
    assert running.wait(experiment_id, 60)["trials"] == 3
    done = running.etude("experiment", "set", experiment_id, "max_trials=+4", "max_concurrent_trials=2", "labels=more")
    assert done.returncode == 0, done.stderr
    running.until(lambda: trial_states(running, experiment_id) == {"finished": 7}, 60, "four more trials are finished")
    assert running.wait(experiment_id, 60)["state"] == "completed"
    done = running.etude("experiment", "set", experiment_id, "max_length=+3")
    assert done.returncode == 0, done.stderr

    def lengths() -> set[int]:
        trials = running.api.get(f"/experiments/{experiment_id}/trials")["items"]
        return {trial["length"] for trial in trials}

    running.until(lambda: lengths() == {8}, 60, "all trials are trained further")
    running.until(lambda: state(running, experiment_id) == "completed", 60, "the experiment is complete again")
    audit(decisions(running, experiment_id))
    done = running.etude("experiment", "set", experiment_id, "max_trials=2")
    running.until(lambda: running.ask(f"/experiments/{experiment_id}")["refused"] is not None, 30, "it is refused")
    assert "can only grow" in running.etude("experiment", "describe", experiment_id).stdout
    done = running.etude("experiment", "set", experiment_id, "colour=red")
    assert done.returncode == 1
    assert "NAME is one of max_trials" in done.stderr


def test_who_waits_for_slots_is_told_why(running: Installation, tmp_path: Path) -> None:
    def disabled() -> bool:  # once it is known
        return running.etude("runner", "disable", "one", "--reason", "new driver").returncode == 0

    running.until(disabled, 30, "the runner is there")
    experiment_id = create(running, line_config(tmp_path, trials=1))

    def waits() -> str:
        lines = running.etude("experiment", "describe", experiment_id).stdout.splitlines()
        return next((line for line in lines if line.startswith("waits: ")), "")

    running.until(lambda: "disabled" in waits(), 30, "the reason is told")
    assert running.etude("runner", "enable", "one").returncode == 0
    assert running.wait(experiment_id, 60)["state"] == "completed"
    assert waits() == ""


@pytest.mark.parametrize("verb", ["cancel", "kill"])
def test_an_experiment_is_ended_early(running: Installation, tmp_path: Path, verb: str) -> None:
    experiment_id = create(running, line_config(tmp_path, trials=4, length=1000, seconds=0.05))
    running.until(lambda: trial_states(running, experiment_id).get("running") == 2, 30, "two trials run")
    assert running.etude("experiment", verb, experiment_id).returncode == 0
    waited = running.etude("experiment", "wait", experiment_id)
    assert waited.returncode == 1
    assert waited.stdout.startswith("canceled")
    ended = "canceled" if verb == "cancel" else "killed"
    running.until(lambda: trial_states(running, experiment_id) == {ended: 4}, 30, "all trials are closed")
    second = create(running, line_config(tmp_path))
    assert running.wait(second, 60)["state"] == "completed"  # the slots are free again


def test_what_does_not_exist_is_named(running: Installation, tmp_path: Path) -> None:
    for verb in ("describe", "pause", "activate", "cancel", "kill"):
        done = running.etude("experiment", verb, "nothing")
        assert done.returncode == 1
        assert "no experiment nothing" in done.stderr
        assert "Traceback" not in done.stderr
    before = experiment_ids(running)
    bad = tmp_path / "bad.yaml"
    bad.write_text("entrypoint: a b\nsearcher: {name: randon, metric: loss}\nlabel: x\n")
    done = running.etude("experiment", "create", str(bad), str(LINE))
    assert done.returncode == 1
    assert "did you mean 'random'?" in done.stderr
    assert "did you mean 'labels'?" in done.stderr
    assert experiment_ids(running) == before


async def test_bad_events_harm_nothing_else(running: Installation, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    experiment_id = create(running, line_config(tmp_path, trials=4, length=20, seconds=0.05))
    url = running.environment["ETUDE_AMQP_URL"]
    bodies = {
        "experiment.created.default.3": b"\x00 this is no event",
        "validation.completed.default.3": b'{"specversion": "1.0", "type": "etude.validation.completed.v9"}',
        "trial.requested.default.3": b"[]",
    }
    created = ExperimentCreated(
        config={"searcher": {"name": "random"}, "entrypoint": 7},
        model_definition=ModelDefinition(uri="file:///nowhere", sha256="0" * 64, size=1),
        seed=1,
    )
    rejected = Envelope.wrap(created, source="test", time=utc_now(), experiment_id="badly-made")
    unknown = Envelope.parse(
        rejected.model_copy(update={"experimentid": "never-made"})
        .to_bytes()
        .replace(b"experiment.created.v1", b"experiment.pause-requested.v1")
    )
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(EVENTS)
        for key, body in bodies.items():
            await exchange.publish(aio_pika.Message(body), key)
        await exchange.publish(aio_pika.Message(rejected.to_bytes()), "experiment.created.default.5")
        await exchange.publish(aio_pika.Message(unknown.to_bytes()), "experiment.pause-requested.default.5")
    assert running.wait(experiment_id, 60)["state"] == "completed"
    assert running.wait("badly-made", 30)["state"] == "rejected"
    errors = running.api.get("/experiments/badly-made")["errors"]
    assert {error["path"] for error in errors} >= {"entrypoint", "searcher.metric", "searcher.max_trials"}
    dead = running.api.get("/dead-letters")["items"]
    unread = [letter["queue"] for letter in dead if "not an etude event" in letter["reason"]]
    assert sorted(unread) == [
        *["etude.metrics.events"] * 3,
        *["etude.scheduler.default"] * 2,
        *["etude.searcher.3"] * 2,
    ]
    assert any("no experiment never-made is known" in letter["reason"] for letter in dead)
    assert experiment_ids(running) >= {experiment_id, "badly-made"}
    assert "never-made" not in experiment_ids(running)
    for log in running.folder.glob("*.log"):
        assert "Traceback" not in log.read_text(), log


def test_an_experiment_is_exported(running: Installation, tmp_path: Path) -> None:
    experiment_id = create(running, line_config(tmp_path, trials=3))
    running.wait(experiment_id)
    done = running.etude("e", "export", experiment_id, "--to", "csv", str(tmp_path / "tables"))
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "tables")), done.stderr
    assert len((tmp_path / "tables" / "trials.csv").read_text().splitlines()) == 4
    again = running.etude("e", "export", experiment_id, "--to", "csv", str(tmp_path / "tables"))
    assert again.returncode == 1
    assert "exists; name something new" in again.stderr


def test_a_runner_says_what_happens_on_it(running: Installation, tmp_path: Path) -> None:
    experiment_id = create(running, line_config(tmp_path, trials=2))
    running.wait(experiment_id)

    def told(what: str) -> int:
        return running.etude("runner", "logs", "one").stdout.count(f"info     {what} experiment_id={experiment_id} ")

    running.until(lambda: told("trial ended") == 2, 20, "the runner says so")
    assert told("trial starts") == 2
    nobody = running.etude("runner", "logs", "nobody")
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert "etude runner list shows those that there are" in nobody.stderr


def decisions(installation: Installation, experiment_id: str) -> list[dict[str, Any]]:
    return list(installation.database["search_log"].find({"experiment_id": experiment_id}))


def test_without_servers_everyone_says_what_they_wait_for(installation: Installation, tmp_path: Path) -> None:
    nobody = free_port()
    installation.environment["ETUDE_AMQP_URL"] = f"amqp://guest:guest@127.0.0.1:{nobody}/"
    installation.environment["ETUDE_MONGO_URL"] = f"mongodb://127.0.0.1:{nobody}"
    installation.start_services()
    installation.start_runner("one")
    for name, server in [
        ("searcher", "MongoDB"),
        ("scheduler", "MongoDB"),
        ("metrics", "MongoDB"),
        ("one", "RabbitMQ"),
    ]:
        log = installation.folder / f"{name}.log"
        installation.until(lambda log=log, server=server: log.read_text().count(f"waiting for {server}") >= 2, 40, name)
        assert "Traceback" not in log.read_text()
    answer = httpx.get(f"{installation.api_url}/readyz")
    assert answer.status_code == 503
    assert "MongoDB does not answer" in answer.json()["status"]
    assert httpx.get(f"{installation.api_url}/healthz").status_code == 200
    done = installation.etude("experiment", "create", str(line_config(tmp_path)), str(LINE))
    assert done.returncode == 1
    assert "is ETUDE_AMQP_URL right?" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_an_installation_the_command_line_says_so(installation: Installation) -> None:
    done = installation.etude("experiment", "list")
    assert done.returncode == 1
    assert "is ETUDE_API_URL right?" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_failed_for_want_of_something_is_tried_again_once_it_is_there(
    installation: Installation, tmp_path: Path
) -> None:
    installation.start_services()
    installation.start_runner("one", slots=2)
    dataset = tmp_path / "dataset"
    config = line_config(tmp_path, f"needs {dataset}", "good", max_restarts=1)
    experiment_id = installation.create(config, LINE)
    assert installation.wait(experiment_id)["state"] == "completed"

    def trials() -> list[tuple[str, int, int]]:
        found = installation.ask(f"/experiments/{experiment_id}/trials")["items"]
        return sorted((trial["state"], trial["attempt"], trial["restarts"]) for trial in found)

    assert trials() == [("errored", 1, 1), ("finished", 1, 0)]
    said = installation.etude("trial", "retry", experiment_id)
    assert "name the trials, or say --state failed" in said.stderr
    dataset.touch()
    said = installation.etude("trial", "retry", experiment_id, "--state", "failed")
    [number] = said.stdout.split()
    installation.until(lambda: trials() == [("finished", 1, 0), ("finished", 2, 0)], 60, "it is tried again")
    assert installation.wait(experiment_id)["state"] == "completed"
    lines = installation.etude("trial", "logs", experiment_id, number).stdout
    assert "from 2" in lines, "it goes on from its checkpoint"
    said = installation.etude("trial", "retry", experiment_id, "--state", "failed")
    assert f"no trial of {experiment_id} has failed" in said.stderr


def test_services_say_when_they_are_ready_and_where(running: Installation) -> None:
    def told(name: str) -> str:
        return (running.folder / f"{name}.log").read_text()

    for name in ("searcher", "scheduler", "metrics", "one"):
        running.until(lambda name=name: '"event": "ready"' in told(name), 30, f"{name} is ready")  # type: ignore[misc]
    assert f'"page": "{running.api_url}"' in told("metrics")
