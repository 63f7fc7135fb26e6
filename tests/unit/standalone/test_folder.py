"""What is decided without a run touches no other experiment."""

from etude.bus import MemoryBroker
from etude.bus.topology import metrics_events
from etude_standalone.folder import OneExperimentBus
from tests.unit.make import created, envelope


async def test_events_of_other_experiments_are_left_to_their_runs() -> None:
    broker = MemoryBroker()
    bus = OneExperimentBus(broker, "mine")
    events = [envelope(created(), experiment_id=name) for name in ("mine", "another")]
    assert await bus.publish(events) == []
    assert broker.depth(metrics_events().name) == 1
