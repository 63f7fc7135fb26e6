"""Who hears what."""

import pytest

from etude.bus.topology import (
    DEAD,
    EVENTS,
    PARTITIONS,
    TELEMETRY,
    Queue,
    durable_queues,
    exchange_of,
    matches,
    metrics_events,
    metrics_telemetry,
    partition_of,
    routing_key,
    runner_commands,
    scheduler_pool,
    searcher_partition,
)
from etude.events import (
    AllocationReleased,
    Event,
    ExperimentCreated,
    Length,
    LogWritten,
    RunnerJoined,
    TrialClosed,
    TrialRequested,
    ValidationCompleted,
)
from tests.unit.make import MODEL, created, envelope, validation


@pytest.mark.parametrize(
    ("binding", "key", "fits"),
    [
        ("a.b", "a.b", True),
        ("a.*", "a.b", True),
        ("a.*", "a.b.c", False),
        ("a.*", "a", False),
        ("a.#", "a", True),
        ("a.#", "a.b.c", True),
        ("#", "", True),
        ("#", "a.b", True),
        ("*.b", "a.b", True),
        ("a.*.c", "a.b.c", True),
        ("a-b.c", "axb.c", False),
    ],
)
def test_topic_patterns_match_as_the_broker_does(binding: str, key: str, fits: bool) -> None:
    assert matches(binding, key) is fits


def hears(queue: Queue, event: Event, pool: str = "default") -> bool:
    wrapped = envelope(event, pool=pool)
    return queue.exchange == exchange_of(wrapped) and any(matches(b, routing_key(wrapped)) for b in queue.bindings)


def test_the_partition_of_an_experiment_never_changes() -> None:
    assert [partition_of(name) for name in ("exp", "a", "b")] == [11, 3, 9]
    assert {partition_of(str(n)) for n in range(1000)} == set(range(PARTITIONS))


def test_a_partition_hears_of_its_experiments_and_no_others() -> None:
    mine, other = searcher_partition(partition_of("exp")), searcher_partition(partition_of("exp") + 1)
    for event in (created(), validation(1, 1)):
        assert hears(mine, event)
        assert hears(mine, event, pool="gpus")
        assert not hears(other, event)
    assert not hears(mine, TrialClosed(trial_id=1, reason="finished"))


def test_a_scheduler_hears_of_its_pool_and_no_other() -> None:
    event = TrialRequested(trial_id=1, hyperparameters={}, seed=1, slots=1, train_until=Length.batches(1))
    assert hears(scheduler_pool(), event)
    assert not hears(scheduler_pool(), event, pool="gpus")
    assert hears(scheduler_pool("gpus"), event, pool="gpus")
    assert hears(scheduler_pool(), RunnerJoined(runner_id="a", session="1", slots=[]))
    assert not hears(scheduler_pool(), created())


def test_metrics_hears_everything_on_two_queues() -> None:
    lines = LogWritten(trial_id=1, lease_number=1, first=0, lines=[])
    assert hears(metrics_events(), created())
    assert not hears(metrics_events(), lines)
    assert hears(metrics_telemetry(), lines)


def test_a_command_is_addressed_to_one_runner() -> None:
    order = AllocationReleased(runner_id="gpu.7 b", trial_id=1, lease_number=1)
    assert routing_key(envelope(order)).split(".")[-1] == "gpu_7_b"
    assert hears(runner_commands("gpu.7 b", "s"), order)
    assert not hears(runner_commands("gpu", "s"), order)


def test_durable_queues_have_names_of_their_own() -> None:
    names = [queue.name for queue in durable_queues(("default", "gpus"))]
    assert len(names) == len(set(names))
    assert DEAD not in names
    assert {queue.exchange for queue in durable_queues()} == {EVENTS, TELEMETRY}


def test_the_key_has_entity_verb_pool_and_partition() -> None:
    event = ExperimentCreated(config={}, model_definition=MODEL, seed=1)
    assert routing_key(envelope(event, pool="gpus")) == "experiment.created.gpus.11"
    assert isinstance(validation(1, 1), ValidationCompleted)
