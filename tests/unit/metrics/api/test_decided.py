"""Which decisions are about which trial."""

from etude.store import SqliteStore
from etude.store.schema import SEARCH_LOG
from etude_metrics.api.decided import Decided


def decision(seq: int, cause: int | None, *told: int) -> dict:
    about = {"trial_id": cause} if cause is not None else {}
    events = [{"type": "etude.trial.requested.v1", "data": {"trial_id": number}} for number in told]
    return {
        "_id": f"exp:{seq}",
        "experiment_id": "exp",
        "seq": seq,
        "cause": {"id": "", "type": "etude.validation.completed.v1", "data": about},
        "events": [*events, {"type": "etude.experiment.progressed.v1", "data": {"progress": 0.5}}],
        "reasons": [],
    }


async def test_a_trial_is_in_the_decisions_that_it_caused_or_that_tell_of_it() -> None:
    store = SqliteStore()
    await store.open()
    decided = Decided(store)
    await store.put(SEARCH_LOG, [decision(0, None, 1, 2), decision(1, 1, 3), decision(2, 2, 1)])
    assert [await decided.about("exp", number) for number in (1, 2, 3, 4)] == [[0, 1, 2], [0, 2], [1], []]


async def test_what_was_decided_since_is_known_too_however_much_it_is() -> None:
    store = SqliteStore()
    await store.open()
    decided = Decided(store)
    await store.put(SEARCH_LOG, [decision(0, None, 1)])
    assert await decided.about("exp", 1) == [0]
    await store.put(SEARCH_LOG, [decision(seq, 1, seq) for seq in range(1, 1200)])
    assert await decided.about("exp", 1) == [0, *range(1, 1200)]
    assert await decided.about("exp", 1100) == [1100]
