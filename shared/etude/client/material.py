"""Material for figures and exports, asked of a running installation."""

from etude.client.api import ApiClient
from etude.material import Material


def fetch_material(api: ApiClient, experiment_id: str) -> Material:
    """The experiment, its trials and their learning curves.

    Raises
    ------
    ApiError
        There is no such experiment.
    """
    path = f"/experiments/{experiment_id}"
    experiment = api.get(path)
    trials = list(api.pages(f"{path}/trials", limit=1000))
    curves = [c for c in api.pages(f"{path}/learning-curves", limit=500, max_points=10_000) if c["lengths"]]
    return Material(experiment, trials, curves, list(api.pages(f"{path}/best-validations", limit=1000)))
