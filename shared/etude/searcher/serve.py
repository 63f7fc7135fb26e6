"""serve: a custom search method as a process that answers questions from the broker."""

import asyncio
from collections.abc import Sequence

import structlog

from etude.bus import EventBus, Subscription
from etude.bus.amqp import AmqpBus, Declares
from etude.bus.topology import custom_searcher
from etude.client.settings import ClientSettings
from etude.events import Envelope, SearchAnswered, SearchAsked, derived_id
from etude.searcher.method import CustomMethod
from etude.service.clock import Clock, utc_now
from etude.service.logs import log_as_json
from etude.service.runtime import run

log = structlog.get_logger("etude.custom")


def serve(name: str, method: CustomMethod) -> None:
    """Answer for all experiments whose ``searcher`` is ``{name: custom, method: <name>}``, until told to stop.

    The broker is at ``ETUDE_AMQP_URL``. Several processes may serve one method: one is active, the others stand by.
    """

    async def main(stop: asyncio.Event) -> None:
        log_as_json(f"custom/{name}")
        bus = AmqpBus(ClientSettings().amqp_url, name=f"custom/{name}", declares=Declares.NOTHING)
        await bus.start()
        await serve_on(bus, name, method)
        await stop.wait()
        await bus.close()

    run(main)


async def serve_on(bus: EventBus, name: str, method: CustomMethod, clock: Clock = utc_now) -> Subscription:
    """Answer questions on a bus; see :func:`serve`."""

    async def answer(batch: Sequence[Envelope]) -> None:
        answers = []
        for envelope in batch:
            asked = envelope.data
            if not isinstance(asked, SearchAsked) or asked.method != name:
                continue
            try:
                answered = method.decide(asked)
            except Exception as error:
                log.exception("the method failed", experiment_id=envelope.experimentid, ask=asked.ask)
                answered = SearchAnswered(ask=asked.ask, failed=f"{type(error).__name__}: {error}")
            answers.append(
                Envelope.wrap(
                    answered,
                    id=derived_id(envelope.experiment, "answer", asked.ask),
                    source=f"custom/{name}",
                    time=clock(),
                    experiment_id=envelope.experiment,
                    causation_id=envelope.id,
                    pool=envelope.pool,
                )
            )
        await bus.publish(answers)

    return await bus.subscribe(custom_searcher(name), answer)
