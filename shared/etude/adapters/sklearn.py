"""scikit-learn: an estimator as a trial."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring
from sklearn.utils import shuffle

from etude.adapters.follower import Follower
from etude.core.errors import CoreError
from etude.core.run import Run
from etude.events import Unit

_FILE = "estimator.joblib"


def fit(
    run: Run,
    estimator: Any,
    x: Any,
    y: Any,
    *,
    validation_data: tuple[Any, Any],
    scoring: str | Sequence[str] | Mapping[str, Any] | None = None,
    grows: str | None = None,
) -> Any:
    """Fit an estimator as far as the search wants, from the checkpoint if there is one; returns it.

    One with ``partial_fit`` sees all of the data in each epoch, in an order of its own. One whose parameter ``grows``
    (such as ``n_estimators`` of a forest, or ``max_iter``) says how much it is trained gets the length as its value,
    and keeps what it has (``warm_start``): there, an epoch is one tree, or one iteration.

    Parameters
    ----------
    x, y : training data: arrays, of n rows each
    validation_data : such a pair
    scoring : names of scores or scorers, as for ``cross_validate``; by default the estimator's own, named ``score``
    grows : the parameter that is the length

    Raises
    ------
    CoreError
        The estimator can do neither, or the search does not count in epochs.
    """
    follower = Follower(run, units=(Unit.EPOCHS,))
    if grows is None and not hasattr(estimator, "partial_fit"):
        raise CoreError(
            f"{type(estimator).__name__} has no partial_fit; say which of its parameters is the amount of training, "
            'such as grows="n_estimators"'
        )
    score = _scores(estimator, scoring)
    classes = {"classes": np.unique(y)} if is_classifier(estimator) else {}
    length = run.length
    with run.restore_checkpoint() as folder:
        if folder is not None:
            estimator = joblib.load(folder / _FILE).set_params(**_asked(estimator, grows))

    def save(to: Path) -> None:
        joblib.dump(estimator, to / _FILE)

    if follower.owing:
        follower.validated(length, score(estimator, *validation_data), None)
    while not follower.done and not follower.wanted_back(length, save):
        if grows is None:
            seed = (run.trial_seed + length) % 2**32
            estimator.partial_fit(*shuffle(x, y, random_state=seed), **classes)
            length += 1
        else:
            length = follower.target
            estimator.set_params(**{grows: length, "warm_start": True}).fit(x, y)
        if follower.due(length):
            follower.validated(length, score(estimator, *validation_data), save)
    return estimator


def _scores(estimator: Any, scoring: Any) -> Any:
    """A function of an estimator and data that returns scores by name."""
    if scoring is None or isinstance(scoring, str):
        scorer = check_scoring(estimator, scoring)
        return lambda *data: {scoring or "score": scorer(*data)}
    return check_scoring(estimator, scoring if isinstance(scoring, Mapping) else list(scoring))


def _asked(estimator: Any, grows: str | None) -> dict[str, Any]:
    """The parameters of a new estimator, which one from a checkpoint takes over: another trial's may differ."""
    return {
        name: value for name, value in estimator.get_params(deep=False).items() if name not in (grows, "warm_start")
    }
