"""``python -m etude_trial_runner``: the agent of this machine as a process."""

import asyncio
import socket
from pathlib import Path
from typing import Annotated

import structlog
from pydantic import Field

from etude.artifacts import fetch_model_definition
from etude.bus.amqp import AmqpBus, Declares
from etude.errors import Failure
from etude.events import ModelDefinition
from etude.service.clock import utc_now
from etude.service.logs import log_as_json
from etude.service.runtime import run
from etude.service.settings import Settings, from_environment
from etude_trial_runner.address import own_address
from etude_trial_runner.agent import Agent, Machine
from etude_trial_runner.allocation import Patience
from etude_trial_runner.bubblewrap_launcher import BubblewrapLauncher
from etude_trial_runner.container_launcher import ContainerLauncher
from etude_trial_runner.departure import describe_departures
from etude_trial_runner.disk_trouble import until_begun
from etude_trial_runner.isolating_launcher import IsolatingLauncher
from etude_trial_runner.journal import Journal
from etude_trial_runner.outbox import Outbox
from etude_trial_runner.preload import PreloadSettings
from etude_trial_runner.privacy import forget_variables, hide_memory
from etude_trial_runner.session import new_session
from etude_trial_runner.slots import cores, detect_slots, resident_memory, threads_per_slot
from etude_trial_runner.spool import Spool
from etude_trial_runner.watermarks import Watermarks
from etude_trial_runner.work_folder import WorkFolder
from etude_trial_runner.zygote_launcher import ZygoteLauncher

log = structlog.get_logger("etude.runner")


class RunnerSettings(Settings, PreloadSettings):
    """What a runner is told besides."""

    runner_id: str = Field(default_factory=socket.gethostname)
    slots: Annotated[int, Field(ge=1)] | None = None
    """How many slots to offer; by default every CUDA device, or one CPU share a core."""
    threads_per_slot: Annotated[int, Field(ge=1)] | None = None
    """CPU threads of a trial for each of its slots; by default the cores are shared out among the slots."""
    labels: list[str] = []
    address: str | None = None
    """Where the runners of one trial meet; by default the address by which this machine reaches the broker."""
    resident_memory: Annotated[int, Field(ge=0)] | None = None
    """Bytes that paused trials may hold together; by default a quarter of what the machine has, on GPUs none."""
    disk_watermark: Annotated[float, Field(gt=0, le=1)] = 0.95
    memory_watermark: Annotated[float, Field(gt=0, le=1)] = 0.95
    """How full disk and memory may be before no new trial is taken."""
    container_engine: str | None = None
    """What starts containers; by default podman, or else docker."""
    allowed_mounts: list[Path] = []
    """Folders of which containers may see what a configuration's ``bind_mounts`` name."""
    work: Path = Path(".etude/runner")
    """Where model definitions are unpacked and unconfirmed reports wait."""
    heartbeat_seconds: Annotated[float, Field(gt=0)] = 5.0
    hand_back_seconds: Annotated[float, Field(gt=0)] = 60.0
    stop_seconds: Annotated[float, Field(gt=0)] = 120.0
    """How long trials may take to save a checkpoint and end, when their slots are wanted back or the runner leaves."""


async def open_work_folder(path: Path, stop: asyncio.Event) -> tuple[WorkFolder, Spool] | None:
    """The folder of this runner, cleared, and its spool, once the disk has space; None if told to stop.

    Raises
    ------
    Failure
        The folder cannot be used, for another reason than want of space.
    """
    opened: list[tuple[WorkFolder, Spool]] = []

    async def begin() -> None:
        folder = WorkFolder(path)
        try:
            await asyncio.to_thread(folder.clear)
            opened.append((folder, Spool(folder.path / "spool.db")))
        except BaseException:
            folder.close()
            raise

    try:
        await until_begun(
            begin,
            lambda: not stop.is_set(),
            lambda reason: log.error("the runner waits for space on the disk", folder=str(path), reason=reason),
        )
    except OSError as error:
        raise Failure(f"the runner cannot use {path}: {error}; ETUDE_WORK names another folder") from None
    return opened[0] if opened else None


async def main(stop: asyncio.Event) -> None:
    """Serve until told to stop; then drain."""
    settings = from_environment(RunnerSettings)
    forget_variables(("ETUDE_AMQP_URL", "ETUDE_MONGO_URL"))  # a trial's process has no business with either
    hide_memory()
    session = new_session()
    journal = Journal(settings.runner_id, session, utc_now)
    log_as_json("trial-runner", settings.log_level, journal)
    opened = await open_work_folder(settings.work / settings.runner_id, stop)
    if opened is None:
        return
    folder, spool = opened
    work = folder.path

    async def fetch(definition: ModelDefinition) -> Path:
        return await asyncio.to_thread(fetch_model_definition, definition, work / "model_definitions")

    slots = detect_slots(settings.slots)
    machine = Machine(
        runner_id=settings.runner_id,
        session=session,
        slots=slots,
        storage=settings.storage,
        pool=settings.pool,
        labels=settings.labels,
        host=socket.gethostname(),
        cores=cores(),
        resident_memory=resident_memory(slots) if settings.resident_memory is None else settings.resident_memory,
        address=settings.address or own_address(settings.amqp_url),
        threads_per_slot=settings.threads_per_slot or threads_per_slot(len(slots)),
        refusing=Watermarks(work, settings.disk_watermark, settings.memory_watermark).exceeded,
        temporary_prefix=folder.temporary_prefix,
        heartbeat=settings.heartbeat_seconds,
        patience=Patience(
            resend=min(10.0, settings.hand_back_seconds / 3),
            hand_back=settings.hand_back_seconds,
            stop=settings.stop_seconds,
        ),
    )
    bus = AmqpBus(
        settings.amqp_url,
        name=f"runner/{settings.runner_id}",
        pools=(settings.pool,),
        declares=Declares.NOTHING,
    )
    launcher = ZygoteLauncher(work, settings.preload)
    containers = ContainerLauncher(work, settings.runner_id, settings.container_engine, settings.allowed_mounts)
    isolating = IsolatingLauncher(
        {"process": launcher, "bubblewrap": BubblewrapLauncher(work), "container": containers}
    )
    agent = Agent(machine, bus, Outbox(bus, spool), isolating, fetch, utc_now, journal)
    await launcher.start()
    await bus.start()
    joining = asyncio.create_task(agent.start())
    await asyncio.wait([joining, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    if joining.done():
        log.info("ready", pool=settings.pool, slots=len(slots), kind=machine.kind, work=str(work))
        await stop.wait()
        departures = await agent.drain()
        log.info("the runner leaves", trials=describe_departures(departures))
    joining.cancel()
    await agent.close()
    folder.close()
    await bus.close()


if __name__ == "__main__":
    run(main)
