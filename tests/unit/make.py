"""Makes what tests need: configurations, events and envelopes with little said."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from etude.artifacts.checkpoint import commit_checkpoint, staging_folder
from etude.artifacts.places import CheckpointPlace
from etude.config import ExperimentConfig, parse
from etude.core.assignment import Assignment
from etude.events import Envelope, Event, ExperimentCreated, Length, ModelDefinition, ValidationCompleted

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = ModelDefinition(uri="file:///nowhere/model.tar.gz", sha256="0" * 64, size=1)
RATE = {"rate": {"type": "log", "minval": -4, "maxval": 0}}


def later(seconds: float) -> datetime:
    """A while after :data:`NOW`."""
    return NOW + timedelta(seconds=seconds)


def raw_config(
    searcher: dict[str, Any] | None = None, hyperparameters: dict[str, Any] | None = None, **fields: Any
) -> dict[str, Any]:
    """A configuration as JSON values; by default a random search of 4 trials."""
    common: dict[str, Any] = {"name": "random", "metric": "loss", "max_length": {"batches": 400}}
    chosen = {**common, **(searcher or {})}
    if chosen["name"] == "random":
        chosen.setdefault("max_trials", 4)
    return {
        "entrypoint": "model_def:Trial",
        "hyperparameters": RATE if hyperparameters is None else hyperparameters,
        "searcher": chosen,
        **fields,
    }


def config(
    searcher: dict[str, Any] | None = None, hyperparameters: dict[str, Any] | None = None, **fields: Any
) -> ExperimentConfig:
    """A validated configuration."""
    return parse(raw_config(searcher, hyperparameters, **fields))


def assignment(**fields: Any) -> Assignment:
    """What the process of a trial is told."""
    common: dict[str, Any] = {
        "experiment_id": "exp",
        "trial_id": 1,
        "lease_number": 1,
        "config": {},
        "hyperparameters": {},
        "trial_seed": 1,
        "train_until": Length.batches(1),
        "storage": "",
    }
    return Assignment(**{**common, **fields})


def created(raw: dict[str, Any] | None = None, seed: int = 1) -> ExperimentCreated:
    """What a client asks for."""
    return ExperimentCreated(config=raw or raw_config(), model_definition=MODEL, seed=seed)


def validation(
    trial_id: int, length: int, loss: float = 1.0, lease_number: int = 1, **metrics: float
) -> ValidationCompleted:
    """A result."""
    return ValidationCompleted(
        trial_id=trial_id,
        lease_number=lease_number,
        length=Length.batches(length),
        metrics={"loss": loss, **metrics},
    )


def envelope(event: Event, experiment_id: str | None = "exp", seconds: float = 0.0, **fields: Any) -> Envelope:
    """An event on its way."""
    return Envelope.wrap(event, source="test", time=later(seconds), experiment_id=experiment_id, **fields)


def save_checkpoint(storage: Path, trial_id: int, length: int) -> str:
    """Save a checkpoint of experiment ``exp``, and tell nobody."""
    place = CheckpointPlace(f"file://{storage}", "exp", trial_id, lease_number=1, length=length)
    with staging_folder(place.uri) as folder:
        (folder / "weights").write_text("0.5")
        commit_checkpoint(
            folder, place.uri, experiment_id="exp", trial_id=trial_id, lease_number=1, length=Length.batches(length)
        )
    return place.uri
