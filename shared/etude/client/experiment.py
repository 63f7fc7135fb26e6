"""NewExperiment: a configuration and a model directory, checked and stored, ready to be announced."""

import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from etude.artifacts import check_model_directory, storage_url, store_model_definition
from etude.config import ExperimentConfig
from etude.events import Envelope, ExperimentCreated, ModelDefinition


@dataclass(frozen=True)
class NewExperiment:
    """What is published to make an experiment."""

    experiment_id: str
    created: ExperimentCreated
    pool: str

    def announce(self, now: datetime) -> Envelope:
        """The event to publish."""
        return Envelope.wrap(self.created, source="client", time=now, experiment_id=self.experiment_id, pool=self.pool)


def prepare(
    config: ExperimentConfig,
    model_directory: Path,
    storage: str,
    owner: str,
    tell: Callable[[str], None] = lambda told: None,
) -> NewExperiment:
    """Check the model directory against the configuration and store it.

    Parameters
    ----------
    storage : URL for the model definition, unless the configuration names a storage
    tell : is told what of the directory is packed, if that takes a while or something stays behind

    Raises
    ------
    ConfigError
        The directory lacks what the entrypoint names.
    ArtifactError
        The directory cannot be stored.
    """
    check_model_directory(model_directory, config)
    url = storage_url(config.checkpoint_storage, storage)
    return announced(config, store_model_definition(model_directory, url, tell), owner)


def announced(config: ExperimentConfig, model: ModelDefinition, owner: str) -> NewExperiment:
    """An experiment of a model that is stored already."""
    seed = config.reproducibility.experiment_seed
    created = ExperimentCreated(
        config=config.to_json(),
        model_definition=model,
        seed=random.randrange(2**31) if seed is None else seed,
        owner=owner,
    )
    return NewExperiment(secrets.token_hex(5), created, config.resources.resource_pool)
