"""Session: one `etude run` from its start to its outcome."""

import asyncio
import contextlib
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from etude.artifacts import ArtifactError, fetch_checkpoint_to
from etude.artifacts.saved import write_result
from etude.client.experiment import prepare
from etude.client.settings import ClientSettings
from etude.config import ConfigError, CustomConfig, ExperimentConfig, Problem, load, parse
from etude.events import ExperimentActivateRequested, ExperimentPauseRequested
from etude.home import LOCAL_DATABASE, LOCAL_HOME
from etude.service.clock import utc_now
from etude.store import Document, SqliteStore
from etude.store.schema import EXPERIMENTS
from etude_standalone.display import Display
from etude_standalone.inlet import Inlet
from etude_standalone.interrupts import Interrupts
from etude_standalone.outcome import Outcome
from etude_standalone.system import System
from etude_trial_runner.departure import describe_departures
from etude_trial_runner.session import new_session
from etude_trial_runner.slots import cores

_ENDED = ("completed", "failed", "canceled", "rejected")
_REFRESH_SECONDS = 0.2
_FILE_WIDTH = 160


class UnknownExperimentError(LookupError):
    """There is no such experiment in this folder."""


class InterruptedEarlyError(RuntimeError):
    """The run was to end before anything was begun; the message says how to go on, if there is something."""


class StuckError(RuntimeError):
    """A service cannot deal with an event: a mistake in etude, which its log tells of."""


class Session:
    """Runs one experiment on this machine.

    Parameters
    ----------
    home : folder for everything that is kept
    slots : trials at a time, or None for all that the machine has
    quiet : show nothing
    """

    def __init__(self, home: Path, slots: int | None, quiet: bool) -> None:
        self._home = home
        self._slots = slots
        self._quiet = quiet
        self._console = Console(file=sys.stderr if quiet else None)
        if not self._console.is_terminal and "COLUMNS" not in os.environ:
            self._console.width = _FILE_WIDTH
        self._interrupts = Interrupts(self._announce_stop, self._leave)
        self._experiment_id = ""

    async def run(self, config_file: Path | None, model_directory: Path | None, resume: str | None) -> Outcome:
        """Run a new experiment, or go on with one, until it ends or Ctrl-C pauses it.

        Raises
        ------
        ConfigError
            The configuration has mistakes, or asks for slots that this machine does not have.
        ArtifactError
            The model directory cannot be stored.
        UnknownExperimentError
            There is nothing to resume under that id.
        StuckError
            A service failed.
        InterruptedEarlyError
            A signal came before the experiment was begun or gone on with.
        """
        self._interrupts.install()
        self._experiment_id = resume or ""
        if resume is None:
            assert config_file is not None and model_directory is not None
            config = load(config_file)
        else:
            config = parse((await self._find(resume))["config"])
        system = System(self._home, new_session(), self._slots, config.resources.resource_pool)
        self._check_that_it_can_run(config, system)
        if resume is None:
            assert model_directory is not None
            new = prepare(config, model_directory, system.storage, ClientSettings().user, self._tell)
            self._warn(config, system)
        await system.start()
        try:
            if self._interrupts.came.is_set():
                raise InterruptedEarlyError(self._describe_early_end())
            if resume is None:
                self._experiment_id = new.experiment_id
                await system.publish(new.announce(utc_now()))
            else:
                await system.remember(resume)
                await system.tell(resume, ExperimentActivateRequested())
            inlet = Inlet(self._home, self._experiment_id, system.take)
            await inlet.open()
            try:
                return await self._follow(system, self._experiment_id)
            finally:
                await inlet.close()
        finally:
            await system.close()

    async def _find(self, experiment_id: str) -> Document:
        database = self._home / LOCAL_DATABASE
        found: list[Document] = []
        if database.exists():
            store = SqliteStore(database)
            await store.open()
            found = await store.get(EXPERIMENTS, [experiment_id])
            await store.close()
        if not found:
            raise UnknownExperimentError(f"there is no experiment {experiment_id} in {self._home}; see --home")
        return found[0]

    async def _follow(self, system: System, experiment_id: str) -> Outcome:
        with Display(self._console, system, experiment_id, self._quiet, self._elsewhere) as display:
            while True:
                experiment = await system.queries.experiment(experiment_id)
                if experiment is not None:
                    await display.refresh(experiment)
                    if experiment["state"] in _ENDED:
                        break
                if system.stuck:
                    raise StuckError(
                        f"an event could not be dealt with ({system.stuck}); the errors above say why. Nothing is "
                        f"lost: once that is mended, go on with {self._resume(experiment_id)}"
                    )
                if self._interrupts.came.is_set():
                    if await self._pause(system, experiment_id):
                        return await self._paused(system, experiment_id)
                    break
                await asyncio.sleep(_REFRESH_SECONDS)
        await system.settle()
        experiment = await system.queries.experiment(experiment_id) or experiment
        assert experiment is not None
        outcome = self._outcome(experiment)
        if not self._quiet:
            await display.summary(experiment, self._export(outcome))
        return outcome

    async def _pause(self, system: System, experiment_id: str) -> bool:
        """Stop all trials, and say what became of them; False if the experiment ended before."""
        await system.tell(experiment_id, ExperimentPauseRequested())
        departures = await system.drain()
        experiment = await system.queries.experiment(experiment_id)
        if experiment is not None and experiment["state"] in _ENDED:
            return False
        with contextlib.suppress(OSError):
            self._console.print(
                f"Paused: {describe_departures(departures)}. Go on with: [bold]{self._resume(experiment_id)}[/bold]",
                soft_wrap=True,
            )
        return True

    async def _paused(self, system: System, experiment_id: str) -> Outcome:
        experiment = await system.queries.experiment(experiment_id)
        trials = experiment["trials"] if experiment else 0
        return Outcome(experiment_id, "paused", trials, experiment["best"] if experiment else None)

    def _describe_early_end(self) -> str:
        if not self._experiment_id:
            return "Interrupted before the experiment began; nothing was started."
        return f"Interrupted before the experiment went on. Go on with: {self._resume(self._experiment_id)}"

    def _resume(self, experiment_id: str) -> str:
        return f"etude run --resume {experiment_id}{self._elsewhere}"

    @property
    def _elsewhere(self) -> str:
        return "" if self._home == Path(LOCAL_HOME).resolve() else f" --home {shlex.quote(str(self._home))}"

    def _outcome(self, experiment: dict[str, Any]) -> Outcome:
        return Outcome(
            experiment["experiment_id"],
            experiment["state"],
            experiment["trials"],
            experiment["best"],
            experiment["reason"],
        )

    def _export(self, outcome: Outcome) -> Path | None:
        """Copy the best checkpoint to where people find it."""
        if outcome.best is None or not outcome.best.get("checkpoint"):
            return None
        folder = self._home / "best" / outcome.experiment_id
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            fetch_checkpoint_to(outcome.best["checkpoint"], folder)
            write_result(folder, outcome.best.get("metrics") or {outcome.best["metric"]: outcome.best["value"]})
        except ArtifactError as error:
            self._console.print(f"the best checkpoint could not be exported: {error}")
            return None
        return folder

    def _check_that_it_can_run(self, config: ExperimentConfig, system: System) -> None:
        if isinstance(config.searcher, CustomConfig):
            problem = "a custom search is decided by a process that only a running installation reaches"
            raise ConfigError([Problem("searcher.name", f"{problem}; use etude experiment create")])
        need, have = config.resources.slots_per_trial, len(system.slots)
        if need > have:
            problem = f"{need:g} slots are more than this machine's {have}; no trial could ever run here"
            raise ConfigError([Problem("resources.slots_per_trial", problem)])

    def _warn(self, config: ExperimentConfig, system: System) -> None:
        for warning in config.warnings:
            self._tell(warning)
        slots, have = len(system.slots), cores()
        if self._slots is not None and slots > have and system.slots[0].kind == "cpu":
            self._tell(f"{slots} slots are more than the {have} cores of this machine: trials wait for each other")

    def _tell(self, what: str) -> None:
        if not self._quiet:
            self._console.print(what, style="yellow", markup=False, highlight=False, soft_wrap=True)

    def _announce_stop(self) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone
            self._console.print("Stopping: trials save their checkpoints. Ctrl-C again leaves at once.")

    def _leave(self) -> NoReturn:
        """End at once: nothing that was decided is lost, and the trials end with this process."""
        with contextlib.suppress(OSError):
            self._console.show_cursor(True)
            resumed = f"Go on with: {self._resume(self._experiment_id)}" if self._experiment_id else ""
            self._console.print(f"Left at once; trials go on from their last checkpoints. {resumed}", soft_wrap=True)
        os._exit(130)
