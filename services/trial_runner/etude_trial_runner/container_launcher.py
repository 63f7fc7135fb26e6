"""ContainerLauncher: trials in containers of podman or docker, from the image that their configuration names."""

import asyncio
import contextlib
import csv
import io
import os
import secrets
import shutil
import signal
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import structlog

from etude.config import ExperimentConfig, parse
from etude.core.assignment import Assignment, door
from etude.core.link import Message
from etude_trial_runner.assignments import write_assignment
from etude_trial_runner.bubblewrap_launcher import check_network, signal_as_negative, writable
from etude_trial_runner.launcher import LaunchError
from etude_trial_runner.local_process import LONGEST_MESSAGE, LocalProcess, Outputs, children_of

log = structlog.get_logger("etude.runner")

_ENGINES = ("podman", "docker")
_SHARED_MEMORY = 4 * 2**30
_CREDENTIALS = struct.Struct("3i")


class ContainedTrial(LocalProcess):
    """A process in a container.

    Parameters
    ----------
    engine : starts and ends containers
    name : of the container

    Attributes
    ----------
    client : the engine's program, which runs as long as the container
    """

    client: asyncio.subprocess.Process

    def __init__(
        self, engine: "Engine", name: str, heard: Callable[[Message], None], wrote: Callable[[str, str], None]
    ) -> None:
        super().__init__(0, heard, wrote)
        self._engine, self._name = engine, name
        self._last_error = ""
        self._removing: asyncio.Task[None] | None = None

    def write(self, stream: str, text: str) -> None:
        """It, or the engine, wrote a line."""
        if stream == "stderr" and text.strip():
            self._last_error = text.strip()
        super().write(stream, text)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all that runs in the container but the first process, which only looks after the others."""
        for process in children_of(self.pid) if self.pid else []:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self) -> None:
        """End the container, also one that is yet to start."""
        self.signal(signal.SIGKILL)
        if self._removing is None:
            self._removing = asyncio.create_task(self._remove())

    async def _remove(self) -> None:
        if not self.connected:  # the engine has perhaps yet to pull the image, or to start the container
            with contextlib.suppress(ProcessLookupError):
                self.client.kill()
            await self.client.wait()
        await self._engine.remove(self._name)

    @property
    def connected(self) -> bool:
        """Did it come to speak with us?"""
        return bool(self._connections)

    async def until_gone(self) -> None:
        """Wait for the end of the container, and say how it was."""
        code = await self.client.wait()
        if self._removing is not None:
            await self._removing
        if code != 0 and not self.connected and self._removing is None:
            self.say({"say": "failed", "detail": f"the container did not start: {self._last_error or code}"})
        if not self.exited.done():
            self.exited.set_result(signal_as_negative(code))


@dataclass(frozen=True)
class Engine:
    """podman or docker.

    Attributes
    ----------
    path : of the program
    """

    path: str

    @classmethod
    def find(cls, wanted: str | None) -> "Engine":
        """The one that is wanted, or else podman or docker, whichever there is.

        Raises
        ------
        LaunchError
            There is none.
        """
        for name in (wanted,) if wanted else _ENGINES:
            if path := shutil.which(name):
                return cls(path)
        raise LaunchError(
            f"environment.isolation is container, and this runner has no {wanted or 'podman and no docker'}: "
            "install it, or choose runners that have it, by resources.runner_labels"
        )

    @property
    def maps_users(self) -> bool:
        """Must it be told that the user in the container is the one outside? So it is with podman, but for root's."""
        return Path(self.path).name == "podman" and os.getuid() != 0

    async def ask(self, *arguments: str) -> str:
        """What it prints."""
        process = await asyncio.create_subprocess_exec(
            self.path,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return (await process.communicate())[0].decode()

    async def remove(self, *names: str) -> None:
        """End containers at once."""
        await self.ask("kill", *names)
        await self.ask("rm", "--force", *names)


class ContainerLauncher:
    """Starts a container for each process.

    Parameters
    ----------
    work : a folder for assignment files
    runner_id : containers bear it with the work folder, so that those of an earlier life are found
    engine : ``podman``, ``docker`` or a path; by default whichever there is
    allowed_mounts : folders that containers may see if their configuration wants it (``bind_mounts``)
    """

    def __init__(
        self, work: Path, runner_id: str, engine: str | None = None, allowed_mounts: Sequence[Path] = ()
    ) -> None:
        self._work = work
        self._label = f"etude.runner={runner_id}@{work.resolve()}"  # another installation may have one of this name
        self._wanted = engine
        self._allowed = allowed_mounts
        self._clearing = asyncio.Lock()
        self._cleared = False
        self._trials: dict[ContainedTrial, asyncio.Task[None]] = {}

    async def launch(
        self, assignment: Assignment, heard: Callable[[Message], None], wrote: Callable[[str, str], None]
    ) -> ContainedTrial:
        """Start a process in a container of its own; returns before the container runs."""
        engine = Engine.find(self._wanted)
        check_network(assignment)
        config = parse(assignment.config)
        arguments = [*self._limits(assignment, config, engine), *self._binds(assignment, config)]
        image = config.environment.image_for(assignment.kind)
        if image is None:
            raise LaunchError(f"environment.image names no image for {assignment.kind} slots")
        await self._clear(engine)
        if assignment.kind == "cuda":  # the container has these GPUs alone, numbered from 0
            assignment = assignment.model_copy(update={"slots": [str(n) for n in range(len(assignment.slots))]})
        file = write_assignment(assignment, self._work)
        name = f"etude-{secrets.token_hex(8)}"
        trial = ContainedTrial(engine, name, heard, wrote)
        server = await asyncio.start_unix_server(_welcome(trial), door(assignment), limit=LONGEST_MESSAGE)
        arguments += ["--name", name, _mount(file, file, read_only=True), image]
        with Outputs() as outputs:
            trial.client = await asyncio.create_subprocess_exec(
                *(engine.path, "run", "--rm", *arguments),
                *("python", "-m", "etude_trial_runner.contained", str(file), str(door(assignment))),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=outputs.passed[0],
                stderr=outputs.passed[1],
                start_new_session=True,
            )
        trial.read(outputs)

        async def until_gone() -> None:
            await trial.until_gone()
            server.close()
            file.unlink(missing_ok=True)
            del self._trials[trial]

        self._trials[trial] = asyncio.create_task(until_gone())
        return trial

    async def close(self) -> None:
        """End all trials."""
        for trial in self._trials:
            trial.kill()
        await asyncio.gather(*self._trials.values())

    async def _clear(self, engine: Engine) -> None:
        """Remove what an earlier life of this runner left behind, before the first container is started."""
        async with self._clearing:
            if not self._cleared:
                if left := (await engine.ask("ps", "--all", "--quiet", "--filter", f"label={self._label}")).split():
                    await engine.remove(*left)
                self._cleared = True

    def _limits(self, assignment: Assignment, config: ExperimentConfig, engine: Engine) -> list[str]:
        """What the container is and may do."""
        arguments = ["--label", self._label, "--log-driver", "none", "--workdir", assignment.model_directory]
        arguments += ["--cap-drop", "all", "--security-opt", "no-new-privileges", "--security-opt", "label=disable"]
        arguments += ["--user", f"{os.getuid()}:{os.getgid()}"]
        arguments += ["--userns", "keep-id"] if engine.maps_users else []
        arguments += ["--network", "host" if assignment.network else "none"]
        arguments += ["--shm-size", str(config.resources.shm_size or _SHARED_MEMORY)]
        arguments += ["--pull", "always"] if config.environment.force_pull_image else []
        if assignment.kind == "cuda":
            for slot in assignment.slots:
                arguments += ["--device", f"nvidia.com/gpu={slot}"]
        return arguments

    def _binds(self, assignment: Assignment, config: ExperimentConfig) -> list[str]:
        """What of this machine the container sees."""
        model = Path(assignment.model_directory)
        mounts = [_mount(model, model, read_only=True)]
        mounts += [_mount(Path(folder), Path(folder), read_only=False) for folder in writable(assignment)]
        for bind in config.bind_mounts:
            source = Path(bind.host_path).resolve()
            if not any(source.is_relative_to(allowed.resolve()) for allowed in self._allowed):
                raise LaunchError(
                    f"bind_mounts: this runner does not let containers see {source}; its ETUDE_ALLOWED_MOUNTS "
                    f"are: {', '.join(map(str, self._allowed)) or 'none'}"
                )
            if not source.exists():
                raise LaunchError(f"bind_mounts: this runner has no {source}")
            mounts.append(_mount(source, model / bind.container_path, bind.read_only))
        return mounts


def _welcome(trial: ContainedTrial) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
    """What to do when the container's first process has come: hear it, and learn its number on this machine."""

    def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if trial.connected:
            writer.close()  # whoever that is
            return
        connection: socket.socket = writer.get_extra_info("socket")
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        trial.pid = _CREDENTIALS.unpack(credentials)[0]
        trial.connect(reader, writer)

    return welcome


def _mount(source: Path, target: Path, read_only: bool) -> str:
    """An option of podman and docker; fields are separated by commas, as in CSV."""
    fields = ["type=bind", f"src={source}", f"dst={target}", *(["readonly"] if read_only else [])]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return f"--mount={line.getvalue()}"
