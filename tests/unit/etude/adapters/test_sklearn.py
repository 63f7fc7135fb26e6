"""scikit-learn's estimators as trials. It is imported late: every process that runs tests collects these."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etude.core.errors import CoreError
from etude.core.run import Run
from etude.events import CheckpointReference
from tests.unit.etude.core.recording import RecordingLink, assignment, extend

EPOCHS = {"metric": "score", "max_length": {"epochs": 9}, "name": "single", "smaller_is_better": False}


@cache
def data() -> dict[str, Any]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return {"x": x[:1000], "y": y[:1000], "validation_data": (x[1000:], y[1000:])}


def linear(**options: Any) -> Any:
    """An estimator that learns in parts."""
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(**options)


def go(folder: Path, until: int, *orders: Any, estimator: Any, lease: int = 1, **options: Any) -> Any:
    """The estimator at the end, and the link."""
    from etude.adapters.sklearn import fit

    link = RecordingLink(*orders, folder=folder)
    searcher = {**EPOCHS, "metric": options.pop("metric", "score")}
    checkpoint = options.pop("checkpoint", None)
    told = assignment(folder, {"epochs": until}, checkpoint, lease_number=lease, searcher=searcher)
    with Run(told, link) as run:
        return fit(run, estimator, **data(), **options), link


def validations(link: RecordingLink) -> list[tuple[int, dict[str, float]]]:
    return [(told["length"]["epochs"], told["metrics"]) for told in link.told("validation")]


def latest(link: RecordingLink) -> CheckpointReference:
    return link.saved()[-1]


def test_an_estimator_that_learns_in_parts_sees_the_data_once_an_epoch(tmp_path: Path) -> None:
    model, link = go(tmp_path, 1, extend(4, "epochs"), estimator=linear(random_state=1))
    [(first, one), (last, two)] = validations(link)
    assert (first, last, model.t_) == (1, 4, 4 * 1000 + 1)
    assert 0.5 < one["score"] <= 1
    assert two["score"] == model.score(*data()["validation_data"])


def test_one_that_goes_on_elsewhere_ends_where_an_undisturbed_one_does(tmp_path: Path) -> None:
    whole, _ = go(tmp_path / "a", 2, extend(5, "epochs"), estimator=linear(random_state=1))
    _, link = go(tmp_path / "b", 2, estimator=linear(random_state=1))
    again = linear(random_state=1)
    resumed, link = go(tmp_path / "b", 5, estimator=again, lease=2, checkpoint=latest(link))
    assert [length for length, _ in validations(link)] == [5]
    assert np.array_equal(whole.coef_, resumed.coef_)


def test_one_that_grows_keeps_what_it_has(tmp_path: Path) -> None:
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(random_state=1, max_depth=4)
    model, link = go(tmp_path, 3, extend(9, "epochs"), estimator=forest, grows="n_estimators")
    assert [length for length, _ in validations(link)] == [3, 9]
    assert len(model.estimators_) == 9
    more, _ = go(tmp_path, 12, estimator=forest, grows="n_estimators", lease=2, checkpoint=latest(link))
    assert [a.tree_.node_count for a in model.estimators_] == [a.tree_.node_count for a in more.estimators_[:9]]
    assert len(more.estimators_) == 12


def test_scores_have_the_names_that_scikit_learn_gives_them(tmp_path: Path) -> None:
    scoring = ["accuracy", "f1_macro"]
    _, link = go(tmp_path, 1, estimator=linear(), scoring=scoring, metric="f1_macro")
    [(_, metrics)] = validations(link)
    assert set(metrics) == {"accuracy", "f1_macro"}


def test_a_lost_validation_is_made_up_for_without_training(tmp_path: Path) -> None:
    before, link = go(tmp_path, 2, estimator=linear(random_state=1))
    after, link = go(tmp_path, 2, estimator=linear(), lease=2, checkpoint=latest(link))
    assert [length for length, _ in validations(link)] == [2]
    assert np.array_equal(before.coef_, after.coef_)


def test_one_that_cannot_be_trained_in_parts_is_refused_with_a_way_out(tmp_path: Path) -> None:
    from sklearn.neighbors import KNeighborsClassifier

    with pytest.raises(CoreError, match=r'KNeighborsClassifier has no partial_fit; .*such as grows="n_estimators"'):
        go(tmp_path, 1, estimator=KNeighborsClassifier())
