"""The event bus: one port, two transports (RabbitMQ in `amqp`, one process in `memory`)."""

from etude.bus.errors import BusClosedError
from etude.bus.memory import DeadLetter, MemoryBroker, MemoryBus
from etude.bus.port import BATCH, EventBus, Handler, Subscription

__all__ = [
    "BATCH",
    "BusClosedError",
    "DeadLetter",
    "EventBus",
    "Handler",
    "MemoryBroker",
    "MemoryBus",
    "Subscription",
]
