"""The event bus: one port, two transports (RabbitMQ in `amqp`, one process in `memory`)."""

from etude.bus.errors import BusClosedError, UnknownQueueError
from etude.bus.memory import MemoryBroker, MemoryBus
from etude.bus.port import BATCH, REFUSAL_LIMIT, DeadLetter, EventBus, Handler, LetterHandler, Subscription

__all__ = [
    "BATCH",
    "REFUSAL_LIMIT",
    "BusClosedError",
    "DeadLetter",
    "EventBus",
    "Handler",
    "LetterHandler",
    "MemoryBroker",
    "MemoryBus",
    "Subscription",
    "UnknownQueueError",
]
