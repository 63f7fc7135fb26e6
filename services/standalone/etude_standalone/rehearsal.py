"""Rehearsal: one batch of everything, to see whether a model works before a search begins."""

import asyncio
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etude.client.experiment import prepare
from etude.config import ExperimentConfig, parse
from etude.events import ExperimentChangeRequested, Length, Unit
from etude.service.clock import utc_now
from etude_standalone.system import System
from etude_trial_runner.session import new_session

_ENDED = ("completed", "failed", "canceled", "rejected")
_REFRESH_SECONDS = 0.1


@dataclass
class Report:
    """How a rehearsal went.

    Attributes
    ----------
    passed : what worked, in order
    failed : what did not, if anything; ``detail`` and ``log_tail`` say why
    """

    hyperparameters: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    passed: list[str] = field(default_factory=list)
    failed: str = ""
    detail: str = ""
    log_tail: list[str] = field(default_factory=list)


async def rehearse(config: ExperimentConfig, model_directory: Path, home: Path) -> Report:
    """Train one trial for one batch (for a script, the least length), validate, save, and go on in another process.

    Parameters
    ----------
    config : whose hyperparameters are drawn once
    home : an empty folder

    Raises
    ------
    ConfigError
        The directory lacks what the entrypoint names.
    ArtifactError
        The directory cannot be stored.
    """
    short = shortened(config)
    slots = max(1, math.ceil(short.resources.slots_per_trial))
    system = System(home, new_session(), slots, short.resources.resource_pool)
    new = prepare(short, model_directory, system.storage, "rehearsal")
    report = Report()
    await system.start()
    try:
        await system.publish(new.announce(utc_now()))
        await _until_trained(system, new.experiment_id, 1)
        if await _look(system, new.experiment_id, "train one batch, validate and save a checkpoint", report):
            unit = short.searcher.longest.unit
            wish = ExperimentChangeRequested(max_length=Length(unit=unit, amount=2))
            await system.tell(new.experiment_id, wish)
            await _until_trained(system, new.experiment_id, 2)
            await _look(system, new.experiment_id, "go on from the checkpoint in another process", report)
    finally:
        await system.close()
    return report


def shortened(config: ExperimentConfig) -> ExperimentConfig:
    """The same experiment with one trial of one batch."""
    searcher = config.searcher
    unit = searcher.longest.unit if config.runs_script else Unit.BATCHES
    return parse(
        {
            **config.to_json(),
            "searcher": {
                "name": "single",
                "metric": searcher.metric,
                "smaller_is_better": searcher.smaller_is_better,
                "max_length": {unit.value: 1},
            },
            "scheduling_unit": 1,
            "max_restarts": 0,
            "min_validation_period": None,
            "min_checkpoint_period": None,
            "checkpoint_storage": {},
            "debug": {"one_batch": True},
        }
    )


async def _until_trained(system: System, experiment_id: str, length: int) -> None:
    """Wait until the trial has got so far, or the experiment has ended otherwise."""
    while True:
        experiment = await system.queries.experiment(experiment_id)
        trial = await system.queries.trial(experiment_id, 1)
        if experiment is not None and experiment["state"] in _ENDED:
            reached = trial is not None and (trial["length"] or 0) >= length
            if reached or experiment["state"] != "completed":
                return
        await asyncio.sleep(_REFRESH_SECONDS)


async def _look(system: System, experiment_id: str, what: str, report: Report) -> bool:
    await system.settle()
    experiment = await system.queries.experiment(experiment_id) or {}
    trial = await system.queries.trial(experiment_id, 1) or {}
    report.hyperparameters, report.metrics = trial.get("hyperparameters", {}), trial.get("metrics") or {}
    if experiment["state"] == "completed":
        report.passed.append(what)
        return True
    report.failed = what
    report.detail = trial.get("detail") or experiment.get("reason") or ""
    report.log_tail = trial.get("log_tail", [])
    return False
