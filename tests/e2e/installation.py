"""Installation: the services of etude as processes, to be started, killed and asked."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from pymongo import MongoClient

from etude.client import ApiClient, Client
from etude.client.settings import ClientSettings
from etude_trial_runner.preload import PYTORCH
from tests.servers.mongod import Mongod
from tests.servers.ports import free_port
from tests.servers.rabbitmq import RabbitMQ

EXAMPLES = Path(__file__).parents[2] / "examples"


class Installation:
    """Processes of one etude installation.

    Parameters
    ----------
    folder : for storage, work folders and logs
    amqp_url, mongo_url, database : servers
    """

    def __init__(self, folder: Path, amqp_url: str, mongo_url: str, database: str) -> None:
        self.folder = folder
        port = free_port()
        self.environment = {
            **os.environ,
            "ETUDE_AMQP_URL": amqp_url,
            "ETUDE_MONGO_URL": mongo_url,
            "ETUDE_DATABASE": database,
            "ETUDE_STORAGE": f"file://{folder / 'storage'}",
            "ETUDE_API_PORT": str(port),
            "ETUDE_API_URL": f"http://127.0.0.1:{port}",
            "ETUDE_RUNNER_TIMEOUT": "4",
            "ETUDE_HEARTBEAT_SECONDS": "1",
            "ETUDE_REPAIR_SECONDS": "5",
            "ETUDE_GRACE_SECONDS": "2",
            "ETUDE_THREADS_PER_SLOT": "1",  # the runners of a test share one machine
            "ETUDE_USER": "tester",
            "ETUDE_WORK": str(folder / "work"),
            "ETUDE_PRELOAD": "[]",  # most models of tests need no torch; for those that do see preload
        }
        self.api_url = f"http://127.0.0.1:{port}"
        self.api = ApiClient(self.api_url)
        self.database = MongoClient[dict[str, Any]](mongo_url)[database]
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, tuple[str, dict[str, str]]] = {}

    def start(self, name: str, module: str, **environment: str) -> None:
        """Start ``python -m module`` under a name."""
        log = (self.folder / f"{name}.log").open("ab")
        self._commands[name] = (module, environment)
        self._processes[name] = subprocess.Popen(
            [sys.executable, "-m", module], env={**self.environment, **environment}, stdout=log, stderr=log
        )

    def preload(self, *modules: str) -> None:
        """Let runners that are started from now on import torch, and what else a model needs, before its trials do."""
        self.environment["ETUDE_PRELOAD"] = json.dumps([*PYTORCH, *modules])

    def start_script(self, name: str, script: Path) -> None:
        """Start a Python script under a name."""
        log = (self.folder / f"{name}.log").open("ab")
        self._processes[name] = subprocess.Popen([sys.executable, script], env=self.environment, stdout=log, stderr=log)

    def start_services(self) -> None:
        """The three services that are no runner."""
        for name in ("searcher", "scheduler", "metrics"):
            self.start(name, f"etude_{name}")

    def start_runner(self, name: str, slots: int = 1, **environment: str) -> None:
        """A runner under its name."""
        self.start(name, "etude_trial_runner", ETUDE_RUNNER_ID=name, ETUDE_SLOTS=str(slots), **environment)

    def pid(self, name: str) -> int:
        """The process id of what was started under a name."""
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """kill -9."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def restart(self, name: str) -> None:
        """kill -9, then start it again as it was."""
        self.kill(name)
        self.start_again(name)

    def start_again(self, name: str) -> None:
        """Start what was killed, as it was."""
        module, environment = self._commands[name]
        self.start(name, module, **environment)

    def suspend(self, name: str) -> None:
        """SIGSTOP."""
        self._processes[name].send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """SIGCONT."""
        self._processes[name].send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop everything, and see that nothing is left."""
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def until_served(self) -> None:
        """Wait until the metrics service has its broker and its database."""
        self.until(self._is_served, 60, "the metrics service serves")

    def _is_served(self) -> bool:
        try:
            return httpx.get(f"{self.api_url}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def client(self) -> Client:
        """A client of this installation."""
        e = self.environment
        settings = ClientSettings(
            amqp_url=e["ETUDE_AMQP_URL"], api_url=self.api_url, storage=e["ETUDE_STORAGE"], user="tester"
        )
        return Client(settings)

    def etude(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The command line."""
        command = [sys.executable, "-c", "from etude.cli.main import main; main()", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, check=False)

    def create(self, config: Path, model: Path) -> str:
        """Create an experiment as soon as the services have declared their queues; returns its id."""
        from etude.client.errors import UndeliverableError

        created: list[str] = []

        def attempt() -> bool:
            try:
                created.append(self.client().create_experiment(config, model).id)
            except UndeliverableError:
                return False
            return True

        self.until(attempt, 60, "the services declare their queues")
        return created[0]

    def wait(self, experiment_id: str, seconds: float = 180) -> dict[str, Any]:
        """The experiment at its end."""
        last: dict[str, Any] = {}

        def ended() -> bool:
            last.update(self.ask(f"/experiments/{experiment_id}") or {})
            return last.get("state") in ("completed", "failed", "canceled", "rejected")

        self.until(ended, seconds, f"experiment {experiment_id} ends")
        return last

    def ask(self, path: str) -> Any:
        """An answer of the query API, or None if there is none (yet)."""
        from etude.client import ApiError

        try:
            return self.api.get(path)
        except ApiError:
            return None

    def until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait for something to happen."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                logs = "".join(
                    f"\n--- {log.name}\n" + "\n".join(log.read_text().splitlines()[-25:])
                    for log in sorted(self.folder.glob("*.log"))
                )
                raise TimeoutError(f"waited {seconds} s for: {what}{logs}")
            time.sleep(0.1)


@contextlib.contextmanager
def running_installation(folder: Path, rabbitmq: RabbitMQ, mongod: Mongod) -> Iterator[Installation]:
    """One on a virtual host and a database of its own, with all services and a runner of two slots called one."""
    url = rabbitmq.new_vhost()
    made = Installation(folder, url, mongod.url, f"test_{uuid.uuid4().hex[:8]}")
    try:
        made.start_services()
        made.start_runner("one", slots=2)
        made.until_served()
        yield made
    finally:
        made.stop()
        rabbitmq.remove_vhost(url)


@contextlib.contextmanager
def running_servers(folder: Path) -> Iterator[tuple[RabbitMQ, Mongod]]:
    """A broker and a database that nobody else uses."""
    rabbitmq, mongod = RabbitMQ(folder / "rabbitmq"), Mongod(folder / "mongod")
    try:
        rabbitmq.start()
        mongod.start()
        yield rabbitmq, mongod
    finally:
        mongod.kill()
        rabbitmq.kill()


@contextlib.contextmanager
def whole_installation() -> Iterator[Installation]:
    """One with a broker and a database of its own, for what is no test; all of it is gone afterwards."""
    with contextlib.ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="etude-")))
        rabbitmq, mongod = ends.enter_context(running_servers(folder))
        made = Installation(folder, rabbitmq.new_vhost(), mongod.url, "etude")
        made.preload()
        ends.callback(made.stop)
        yield made
