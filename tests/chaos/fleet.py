"""A fleet: an installation, and all that can happen to it and to its servers."""

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from etude.events import ValidationCompleted
from etude_searcher.audit_command import audit_experiment
from tests.e2e.installation import Installation
from tests.servers.mongod import Mongod
from tests.servers.proxy import Proxy
from tests.servers.rabbitmq import RabbitMQ

MODEL = Path(__file__).parents[1] / "models" / "line"
SERVICES = ("searcher", "scheduler", "metrics")
RUNNERS = ("one", "two")
NEVER = "1000000"


class Fleet:
    """Three services and two runners, of which ``two`` reaches the broker through a cable that can be pulled.

    The servers are nobody else's while it is there. No timer repairs anything within the time of a test: what goes on,
    goes on because somebody saw that it must.
    """

    def __init__(self, folder: Path, rabbitmq: RabbitMQ, mongod: Mongod) -> None:
        self.folder = folder
        self.rabbitmq, self.mongod = rabbitmq, mongod
        self.amqp_url = rabbitmq.new_vhost()
        self.installation = Installation(folder, self.amqp_url, mongod.url, f"chaos_{uuid.uuid4().hex[:8]}")
        self.installation.environment["ETUDE_REPAIR_SECONDS"] = NEVER
        self.cable = Proxy(rabbitmq.port)

    def start(self) -> None:
        """Start all processes."""
        self.installation.start_services()
        self.installation.start_runner("one", slots=2)
        far = self.amqp_url.replace(f":{self.rabbitmq.port}/", f":{self.cable.port}/")
        self.installation.start_runner("two", slots=2, ETUDE_AMQP_URL=far)

    def create(self, **overrides: Any) -> str:
        """A search of a model that sleeps and reports; returns its id."""
        return self.installation.create(write_config(self.folder, **overrides), MODEL)

    def decisions(self, experiment_id: str) -> int:
        """How many decisions there are; a database that is away has told of none."""
        answer = self.installation.ask(f"/experiments/{experiment_id}/decisions?limit=1000")
        return len(answer["items"]) if answer else 0

    def is_over(self, experiment_id: str) -> bool:
        """Has it ended?"""
        answer = self.installation.ask(f"/experiments/{experiment_id}")
        return bool(answer) and answer["state"] in ("completed", "failed", "canceled", "rejected")

    def goes_on(self, experiment_id: str, seconds: float = 90) -> None:
        """Wait until one more decision is made, or none is left to make."""
        before = self.decisions(experiment_id)
        self.installation.until(
            lambda: self.decisions(experiment_id) > before or self.is_over(experiment_id), seconds, "the search goes on"
        )

    def completes(self, experiment_id: str, seconds: float = 240) -> None:
        """Wait until it is complete and nothing is wrong with it."""
        assert self.installation.wait(experiment_id, seconds)["state"] == "completed"
        findings: list[str] = []

        def is_sound() -> bool:
            findings[:] = audit_experiment(self.installation.api, experiment_id)
            return not findings

        with contextlib.suppress(TimeoutError):  # the last reports and clean-ups are on their way
            self.installation.until(is_sound, 90, "the audit finds nothing")
        if findings:
            raise AssertionError("\n".join(findings))

    def unstored_validations(self, experiment_id: str) -> int:
        """How many were decided on that the metrics service has not stored."""
        where, database = {"experiment_id": experiment_id}, self.installation.database
        decided = database["search_log"].count_documents({**where, "cause.type": ValidationCompleted.type})
        return decided - database["validations"].count_documents(where)

    def lose_disk(self, *runners: str) -> None:
        """All that these runners had on their own disks is gone."""
        for name in runners:
            shutil.rmtree(self.folder / "work" / name)

    def empty_broker(self) -> None:
        """All queues are gone, with what was in them."""
        self.rabbitmq.empty(self.amqp_url)

    def restart_broker(self) -> None:
        """kill -9, and start it again."""
        self.rabbitmq.kill()
        self.rabbitmq.start()

    def restart_database(self) -> None:
        """kill -9, and start it again."""
        self.mongod.kill()
        self.mongod.start()

    def stop(self) -> None:
        """Stop everything."""
        self.installation.stop()
        self.cable.close()


def write_config(folder: Path, **overrides: Any) -> Path:
    """The configuration of a search of 12 trials, each of which sleeps and reports."""
    config = {
        "name": "chaos",
        "entrypoint": "python train.py",
        "hyperparameters": {
            "slope": {"type": "double", "minval": 1.0, "maxval": 9.0},
            "seconds": 0.15,
            "behaviour": "",
        },
        "searcher": {
            "name": "adaptive_asha",
            "metric": "loss",
            "max_length": {"batches": 16},
            "max_trials": 12,
            "mode": "standard",
        },
        "max_restarts": 20,
        **overrides,
    }
    path = folder / f"{config['name']}.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@contextlib.contextmanager
def running_fleet(folder: Path, rabbitmq: RabbitMQ, mongod: Mongod) -> Iterator[Fleet]:
    """A fleet on these servers, which run in the end whatever happened to them; all of its processes are stopped."""
    with contextlib.ExitStack() as ends:
        fleet = Fleet(folder, rabbitmq, mongod)
        ends.callback(rabbitmq.remove_vhost, fleet.amqp_url)
        ends.callback(mongod.restore)
        ends.callback(rabbitmq.restore)
        ends.callback(fleet.stop)
        fleet.start()
        yield fleet
