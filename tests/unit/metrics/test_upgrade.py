"""Views of an earlier version."""

from etude.store import SqliteStore
from etude.store.schema import EXPERIMENT_VIEWS, TRIAL_VIEWS
from etude_metrics.upgrade import upgrade_views
from etude_metrics.views import new_experiment, new_trial


async def test_views_get_the_fields_that_an_earlier_version_did_not_write() -> None:
    store = SqliteStore()
    await store.open()
    await store.put(EXPERIMENT_VIEWS, [{"_id": "old", "state": "active", "trials": 2}, new_experiment("new")])
    trials = [{"_id": f"old/{n}", "experiment_id": "old", "trial_id": n, "state": "paused"} for n in range(1, 2500)]
    await store.put(TRIAL_VIEWS, trials)
    assert await upgrade_views(store) == 2500
    [experiment] = await store.get(EXPERIMENT_VIEWS, ["old"])
    assert experiment == {**new_experiment("old"), "state": "active", "trials": 2}
    [trial] = await store.get(TRIAL_VIEWS, ["old/7"])
    assert trial == {**new_trial("old", 7), "state": "paused"}
    assert await upgrade_views(store) == 0
    await store.close()


async def test_of_trials_of_the_first_format_it_is_known_how_far_they_were_trained() -> None:
    store = SqliteStore()
    await store.open()
    trained = new_trial("old", 1) | {"format": 1, "length": 30, "checkpoint": {"uri": "file:///40", "length": 40}}
    del trained["trained"]
    await store.put(TRIAL_VIEWS, [trained])
    assert await upgrade_views(store) == 1
    [trial] = await store.get(TRIAL_VIEWS, ["old/1"])
    assert (trial["format"], trial["trained"], trial["length"]) == (2, 40, 30)
    assert await upgrade_views(store) == 0
    await store.close()
