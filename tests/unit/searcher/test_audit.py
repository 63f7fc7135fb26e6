"""The audit finds nothing in a sound experiment, and each kind of damage by itself."""

import copy
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from etude.bus import MemoryBroker, MemoryBus
from etude.bus.topology import metrics_events
from etude.events import Envelope, ExperimentCancelRequested
from etude_searcher.audit import Records, audit
from etude_searcher.audit_command import stored_checkpoints
from etude_searcher.handlers import SearchHandlers
from tests.unit.make import NOW, created, envelope, validation
from tests.unit.metrics.api.asking import Api


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    made = Api(tmp_path / "storage")
    await made.store.open()
    yield made
    await made.http.aclose()


class Experiment:
    """One of four trials, whose searcher and metrics service share a store."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.broker = MemoryBroker()
        self.searcher = SearchHandlers(api.store, MemoryBus(self.broker), lambda: NOW)

    async def tell(self, *events: Any) -> None:
        told = [envelope(event) for event in events]
        await self.searcher.handle(told)
        ready = self.broker.queues[metrics_events().name].ready
        decided = [Envelope.parse(ready.popleft().body) for _ in range(len(ready))]
        await self.api.handlers.handle_events([*told, *decided])

    async def records(self) -> Records:
        async def items(path: str, **query: Any) -> list[dict[str, Any]]:
            return list((await self.api.get(f"/experiments/exp{path}", **query))["items"])

        return Records(
            experiment=await self.api.get("/experiments/exp"),
            decisions=[{**d, "cause": {"id": "", **d["cause"]}} for d in await items("/decisions")],
            trials=await items("/trials"),
            validations=await items("/validations"),
            allocations=await items("/timeline"),
            stored=[],
        )


@pytest.fixture
async def completed(api: Api) -> Records:
    experiment = Experiment(api)
    await experiment.tell(created(), *(validation(trial_id, 400, loss=1 / trial_id) for trial_id in (2, 1, 4, 3)))
    return await experiment.records()


async def test_nothing_is_wrong_with_a_search_that_ran_undisturbed(completed: Records) -> None:
    assert completed.experiment["state"] == "completed"
    assert audit(completed) == []


async def test_nothing_is_wrong_with_one_that_was_canceled_on_its_way(api: Api) -> None:
    experiment = Experiment(api)
    await experiment.tell(created(), validation(2, 400), ExperimentCancelRequested())
    assert audit(await experiment.records()) == []


async def test_nothing_is_wrong_with_one_that_goes_on(api: Api) -> None:
    experiment = Experiment(api)
    await experiment.tell(created(), validation(2, 400))
    assert audit(await experiment.records()) == []


def lose_a_decision(records: Records) -> Records:
    return replace(records, decisions=[d for d in records.decisions if d["seq"] != 2])


def decide_twice(records: Records) -> Records:
    again = {**copy.deepcopy(records.decisions[1]), "seq": len(records.decisions)}
    return replace(records, decisions=[*records.decisions, again])


def answer_nothing(records: Records) -> Records:
    decisions = copy.deepcopy(list(records.decisions))
    decisions[1]["events"] = [e for e in decisions[1]["events"] if e["type"] != "etude.trial.closed.v1"]
    return replace(records, decisions=decisions)


def decide_otherwise(records: Records) -> Records:
    decisions = copy.deepcopy(list(records.decisions))
    [closed] = [e for e in decisions[2]["events"] if e["type"] == "etude.trial.closed.v1"]
    closed["data"]["reason"] = "stopped"
    return replace(records, decisions=decisions)


def lose_a_validation(records: Records) -> Records:
    return replace(records, validations=records.validations[1:])


def never_decide(records: Records) -> Records:
    decisions = [d for d in records.decisions if d["cause"]["data"].get("trial_id") != 3]
    return replace(records, decisions=decisions)


def lose_a_trial(records: Records) -> Records:
    return replace(records, trials=[trial for trial in records.trials if trial["trial_id"] != 1])


def let_a_trial_go_on(records: Records) -> Records:
    return replace(records, trials=[{**records.trials[0], "state": "running", "ended_at": None}, *records.trials[1:]])


def forget_a_checkpoint(records: Records) -> Records:
    return replace(records, stored=["file:///checkpoints/exp/1/1-400"])


def lose_a_checkpoint(records: Records) -> Records:
    known = {"uri": "file:///checkpoints/exp/1/1-400", "trial_id": 1, "deleted": False}
    return replace(records, checkpoints=[known])


def let_an_allocation_go_on(records: Records) -> Records:
    return replace(records, allocations=[{"ended": None, "lease_number": 3, "trial_id": 2, "runner_id": "gpu"}])


def bury_an_event(records: Records) -> Records:
    return replace(records, dead_letters=[{"letter_id": "f2", "queue": "etude.searcher.1", "reason": "no"}])


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (lose_a_decision, "decision 2 is missing: 3 comes after 1"),
        (decide_twice, "decision 5 decides on trial 2 at 400, which was not awaited"),
        (answer_nothing, "decision 1 answers trial 2 0 times: "),
        (decide_otherwise, "decision 2 is made differently now; see etude experiment replay"),
        (lose_a_validation, "trial 2 at 400 was decided, but its validation is not stored"),
        (never_decide, "the validation of trial 3 at 400 was never decided"),
        (lose_a_trial, "trials of the log that are not stored: [1]"),
        (let_a_trial_go_on, "trial 1 is closed, but is shown as running"),
        (forget_a_checkpoint, "checkpoint file:///checkpoints/exp/1/1-400 is stored, but nobody knows of it"),
        (lose_a_checkpoint, "checkpoint file:///checkpoints/exp/1/1-400 is known, but not stored"),
        (let_an_allocation_go_on, "lease 3 of trial 2 on gpu never ended"),
        (bury_an_event, "dead letter f2 in etude.searcher.1: no"),
    ],
)
async def test_damage_is_found(completed: Records, damage: Callable[[Records], Records], finding: str) -> None:
    assert finding in audit(damage(completed))


@pytest.mark.parametrize("name", ["exp", "runs [1] #2 of *, 50%25"])
def test_checkpoints_are_found_beside_those_that_are_known(tmp_path: Any, name: str) -> None:
    root = f"file://{tmp_path}/{name}"
    for folder in ("1/1-400", "2/1-400"):
        (tmp_path / name / folder).mkdir(parents=True)
    (tmp_path / name / "2/1-400" / "manifest.json").touch()
    assert stored_checkpoints([f"{root}/1/1-400"]) == [f"{root}/2/1-400"]
    assert stored_checkpoints([f"{root}/1/1-400", "s3://bucket/exp/3/1-400"]) is None
    assert stored_checkpoints(["file:///nowhere/exp/3/1-400"]) is None
