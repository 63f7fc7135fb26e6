"""RabbitMQ 3.10 to 4, with reconnecting of our own.

``aio_pika.connect_robust`` has open reports of consumers that stay dead after a broker restart (aio-pika issues 231,
334, 626, 632). So each connection here lives once: anything that goes wrong with it, a channel or a consumer ends the
whole session, and a supervisor builds the next one from the ground up.
"""

from etude.bus.amqp.bus import AmqpBus
from etude.bus.amqp.definitions import Declares

__all__ = ["AmqpBus", "Declares"]
