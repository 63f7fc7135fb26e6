"""WorkFolder: where a runner keeps what it needs, and what an earlier life of it left behind."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import structlog

log = structlog.get_logger("etude.runner")

MARK = "ETUDE_RUNNER_WORK"
"""Environment variable of all processes that descend from a runner's zygote: its work folder."""
_UNFINISHED = ".partial-*"
_GONE_SECONDS = 5.0


class WorkFolder:
    """The work folder of one runner, which has it to itself as long as it lives.

    Parameters
    ----------
    path : is made if it is not there

    Attributes
    ----------
    is_ours : False if another living process has it; then nothing in it is removed
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.is_ours = True
        except OSError:
            self.is_ours = False

    @property
    def temporary_prefix(self) -> str:
        """How the names of its trials' temporary folders begin; short, as sockets lie there."""
        return f"etude-trial-{hashlib.sha256(str(self.path).encode()).hexdigest()[:8]}-"

    def clear(self, *private: Path) -> None:
        """Remove what an earlier life left: processes of trials, their folders and files, and unfinished copies.

        Parameters
        ----------
        private : more folders, at any depth of which nobody else makes copies
        """
        if not self.is_ours:
            log.warning("another process works in this folder; nothing in it is cleaned up", folder=str(self.path))
            return
        orphans = list(self._orphans())
        for process in orphans:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(orphans, _GONE_SECONDS)
        left = [*self._leftovers(), *(path for folder in private for path in folder.rglob(_UNFINISHED))]
        for path in left:
            remove(path)
        if orphans or left:
            log.info("removed what an earlier life left", processes=len(orphans), files=len(left))

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._lock)

    def _orphans(self) -> Iterator[psutil.Process]:
        """Processes that descend from an earlier life's zygote: those of this one are yet to start."""
        own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
        for process in psutil.process_iter():
            if process.pid not in own:
                with contextlib.suppress(psutil.Error, OSError):
                    if process.environ().get(MARK) == str(self.path):
                        yield process

    def _leftovers(self) -> Iterator[Path]:
        yield from Path(tempfile.gettempdir()).glob(f"{self.temporary_prefix}*")
        yield from self.path.glob("assignment-*.json")
        yield from (self.path / "model_definitions").glob(_UNFINISHED)


def remove(path: Path) -> None:
    """Remove a file or a folder, as far as that is possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
