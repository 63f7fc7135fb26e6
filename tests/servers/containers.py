"""podman for tests, and an image that holds nothing: tests let containers see this machine's folders instead."""

import io
import os
import resource
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.servers.tools import tool

_ROOT = Path(__file__).parents[2]
_MOST = 20_000  # a container inside a container may not raise its limits
_FOLDERS = ("proc", "sys", "dev", "tmp", "etc", "usr", "lib", "lib64", "bin")


class Containers:
    """podman, set up so that it also runs inside a container.

    Attributes
    ----------
    image : an empty one, whose PATH finds the Python that runs the tests
    bind_mounts : what of this machine a container must see to run etude
    unusable : why no container can be started here, if so

    Parameters
    ----------
    folder : for its configuration
    """

    image = "localhost/etude-test-empty:latest"

    def __init__(self, folder: Path) -> None:
        system = [path for path in ("/usr", "/lib", "/lib64") if Path(path).exists()]
        packages = sorted({sys.base_prefix, sys.prefix, str(_ROOT)})
        self.bind_mounts = [{"host_path": p, "container_path": p, "read_only": True} for p in (*system, *packages)]
        self.unusable = ""
        tool("podman")
        files, processes = (
            min(resource.getrlimit(limit)[0], _MOST) for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)
        )
        configuration = folder / "containers.conf"
        configuration.write_text(
            f'[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]\n'
            f'[engine]\ncgroup_manager = "cgroupfs"\nruntime = "{"runc" if shutil.which("runc") else "crun"}"\n'
        )
        os.environ["CONTAINERS_CONF"] = str(configuration)
        self._import()
        if not self.unusable:
            binds = [f"--mount=type=bind,src={path},dst={path},readonly" for path in system]
            self._podman("run", "--rm", "--network", "host", *binds, self.image, "/usr/bin/env", "true")

    def _import(self) -> None:
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as archive:
            for name in _FOLDERS:
                folder = tarfile.TarInfo(name)
                folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(folder)
        path = f"ENV PATH={Path(sys.executable).parent}:/usr/bin"
        self._podman("import", "--quiet", "--change", path, "-", self.image, data=layer.getvalue())

    def _podman(self, *arguments: str, data: bytes = b"") -> None:
        done = subprocess.run(["podman", *arguments], input=data, capture_output=True, timeout=120, check=False)
        if done.returncode != 0:
            self.unusable = f"podman {arguments[0]} does not work here: {done.stderr.decode().strip()[-300:]}"
