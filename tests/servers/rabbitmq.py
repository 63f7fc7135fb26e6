"""RabbitMQ as a test server."""

import contextlib
import os
import shutil
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.servers.ports import free_port

_SCRIPT = "/usr/lib/rabbitmq/bin/rabbitmq-server"


class RabbitMQ:
    """One broker; every test gets a virtual host of its own.

    Parameters
    ----------
    folder : for its configuration, data and logs
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._api_port = free_port()
        self._dist_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{self._api_port}/api", auth=("guest", "guest"), timeout=30
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {self._api_port}\n"
            "loopback_users = none\ndisk_free_limit.absolute = 10MB\nvm_memory_high_watermark.relative = 0.8\n"
            "log.file.level = warning\n"
        )
        (self.folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
        environment = {
            **os.environ,
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"etude{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_PID_FILE": str(self.folder / "rabbitmq.pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none "
            "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(free_port()),
        }
        script = _SCRIPT if Path(_SCRIPT).exists() else str(shutil.which("rabbitmq-server"))
        output = (self.folder / "output.log").open("ab")
        self._process = subprocess.Popen(
            [script], env=environment, stdout=output, stderr=output, start_new_session=True, cwd=self.folder
        )
        self._wait_until_ready(120)

    def _wait_until_ready(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                raise RuntimeError(f"RabbitMQ ended at its start: {(self.folder / 'output.log').read_text()[-2000:]}")
            try:
                if self._http.get("/health/checks/port-listener/" + str(self.port)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise TimeoutError(f"RabbitMQ did not answer within {seconds} s; see {self.folder}")

    def new_vhost(self) -> str:
        """The URL of a fresh virtual host."""
        return self._make_vhost(f"test-{uuid.uuid4().hex[:8]}")

    def empty(self, url: str) -> None:
        """Make a virtual host anew: its queues are gone, and all connections to it."""
        self.remove_vhost(url)
        self._make_vhost(url.rsplit("/", 1)[1])

    def _make_vhost(self, name: str) -> str:
        self._http.put(f"/vhosts/{name}").raise_for_status()
        self._http.put(
            f"/permissions/{name}/guest", json={"configure": ".*", "write": ".*", "read": ".*"}
        ).raise_for_status()
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{name}"

    def remove_vhost(self, url: str) -> None:
        """Remove a virtual host with all that is in it."""
        self._http.delete(f"/vhosts/{url.rsplit('/', 1)[1]}")

    def queues(self, url: str) -> list[dict[str, Any]]:
        """The queues of a virtual host."""
        return list(self._http.get(f"/queues/{url.rsplit('/', 1)[1]}").raise_for_status().json())

    def delete_queue(self, url: str, name: str) -> None:
        """Delete a queue."""
        self._http.delete(f"/queues/{url.rsplit('/', 1)[1]}/{name}").raise_for_status()

    def close_connections(self, url: str) -> int:
        """Cut every connection to a virtual host; returns how many there were."""
        names = [c["name"] for c in self._http.get(f"/vhosts/{url.rsplit('/', 1)[1]}/connections").json()]
        for name in names:
            self._http.delete(f"/connections/{name}", headers={"X-Reason": "test"})
        return len(names)

    def dead_letters(self, url: str) -> list[dict[str, Any]]:
        """What lies in the dead-letter queue."""
        body = {"count": 100, "ackmode": "ack_requeue_true", "encoding": "auto"}
        vhost = url.rsplit("/", 1)[1]
        return list(self._http.post(f"/queues/{vhost}/etude.dead/get", json=body).raise_for_status().json())

    def suspend(self) -> None:
        """Let it answer nothing, until :meth:`resume`."""
        for process in self._family():
            process.suspend()

    def resume(self) -> None:
        """Let it go on."""
        for process in self._family():
            process.resume()

    def restore(self) -> None:
        """Let it run, whatever was done to it."""
        self.resume()
        if self._process is None or self._process.poll() is not None:
            self.kill()
            self.start()

    def kill(self) -> None:
        """kill -9, of the broker and its helpers, also at the end of tests: nobody needs what it keeps."""
        if self._process is None:
            return
        family = self._family()
        family += [p for p in psutil.process_iter(["name", "environ"]) if _is_epmd_of(p, self.folder)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)
        self._process.wait()
        self._process = None

    def _family(self) -> list[psutil.Process]:
        """The server and its children."""
        if self._process is None or not psutil.pid_exists(self._process.pid):
            return []
        parent = psutil.Process(self._process.pid)
        return [parent, *parent.children(recursive=True)]


def _is_epmd_of(process: psutil.Process, folder: Path) -> bool:
    return process.info["name"] == "epmd" and (process.info["environ"] or {}).get("HOME") == str(folder)
