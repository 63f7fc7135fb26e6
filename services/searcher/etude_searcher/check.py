"""What is wrong with a configuration that only its first draws show."""

from pathlib import Path

from etude.config import ExperimentConfig, Problem
from etude.events import ExperimentCreated, ExperimentRejected, ModelDefinition
from etude_searcher.search import Search


def check_draws(config: ExperimentConfig, model_directory: Path | None = None) -> list[Problem]:
    """Begin a search, and give the reasons for which it would be rejected.

    Parameters
    ----------
    model_directory : makes no difference
    """
    model = ModelDefinition(uri="mem://nothing", sha256="0" * 64, size=0)
    search = Search(
        ExperimentCreated(
            config=config.to_json(), model_definition=model, seed=config.reproducibility.experiment_seed or 0
        )
    )
    return [
        Problem(problem.path, problem.message)
        for event in search.begin().events
        if isinstance(event, ExperimentRejected)
        for problem in event.errors
    ]
