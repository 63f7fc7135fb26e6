"""A search for somebody who trains elsewhere: no scheduler and no runner has a part in it."""

import pytest

from etude.client import ApiError
from etude.config import ConfigError
from tests.e2e.audit import audit
from tests.e2e.installation import Installation

HALVING = {
    "hyperparameters": {"x": {"type": "double", "minval": -3, "maxval": 3}},
    "searcher": {
        "name": "async_halving",
        "metric": "loss",
        "max_length": {"epochs": 9},
        "num_rungs": 3,
        "divisor": 3,
        "max_trials": 9,
        "max_concurrent_trials": 2,
    },
}


@pytest.fixture
def running(installation: Installation) -> Installation:
    """A searcher and the metrics service."""
    installation.start("searcher", "etude_searcher")
    installation.start("metrics", "etude_metrics")
    installation.until_served()
    return installation


def test_what_is_asked_is_trained_here_and_the_search_comes_to_its_end(running: Installation) -> None:
    asking = running.client().ask_and_tell(HALVING)
    reached: dict[int, int] = {}
    for question in asking:
        assert question.since == reached.get(question.trial_id, 0)
        reached[question.trial_id] = question.length
        if question.trial_id == 4:
            asking.fail(question, "the machine burned down")
            continue
        loss = question.hyperparameters["x"] ** 2 + 1 / question.length
        asking.tell(question, {"loss": loss})
    experiment = asking.experiment
    assert experiment.state == "completed"
    assert len(reached) == 9
    assert set(reached.values()) == {1, 3, 9}
    assert experiment.best is not None
    assert experiment.best["value"] == min(t.value for t in experiment.trials() if t.value is not None)
    assert experiment.trial(4).state == "errored"
    assert "burned" in str(experiment.trial(4).document["detail"])
    assert experiment.retry() == [4]
    for question in asking:
        assert question.trial_id == 4
        asking.tell(question, {"loss": -float(question.length)})
    assert experiment.best is not None
    assert experiment.best["trial_id"] == 4
    audit(running.database["search_log"].find({"experiment_id": experiment.id}).sort("seq"))


def test_another_process_goes_on_where_one_has_left(running: Installation) -> None:
    client = running.client()
    first = client.ask_and_tell(HALVING)
    question = first.ask()
    assert question is not None
    second = client.ask_and_tell(first.experiment.id)
    assert second.ask() == question, "it was never told"
    second.tell(question, {"loss": 1.0})
    with pytest.raises(ApiError, match="up to 1 epochs, not 2"):
        second.tell(question, {"loss": 1.0}, length=2)


def test_mistakes_are_told_at_once(running: Installation) -> None:
    with pytest.raises(ConfigError, match="searcher"):
        running.client().ask_and_tell({"hyperparameters": {}})
