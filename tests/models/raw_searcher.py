"""A random search that knows nothing of etude: AMQP, JSON, and what docs/asyncapi.yaml says."""

import asyncio
import json
import os
import random
import uuid
import zlib
from datetime import UTC, datetime
from typing import Any

import aio_pika

TRIALS, LENGTH = 4, {"batches": 5}


def answer(data: dict[str, Any]) -> dict[str, Any]:
    """Create some trials at the beginning, close each when it reports, and finish when all have."""
    closed = data.get("state", {"closed": 0})["closed"]
    operations: list[dict[str, Any]] = []
    if data["cause"] == "started":
        for _ in range(TRIALS):
            slope = random.uniform(1, 2)
            values = {"behaviour": "good", "slope": slope, "seconds": 0}
            operations.append({"operation": "create", "length": LENGTH, "hyperparameters": values})
    else:
        closed += 1
        if data["cause"] == "validation-completed":
            operations.append({"operation": "close", "trial_id": data["trial_id"]})
    return {
        "ask": data["ask"],
        "operations": operations,
        "state": {"closed": closed},
        "progress": closed / TRIALS,
        "finished": closed == TRIALS,
    }


async def main() -> None:
    connection = await aio_pika.connect(os.environ["ETUDE_AMQP_URL"])
    channel = await connection.channel()
    exchange = await channel.declare_exchange("etude.events", "topic", durable=True)
    queue = await channel.declare_queue("raw-searcher", durable=True)
    await queue.bind(exchange, "search.asked.#")
    async with queue.iterator() as messages:
        async for message in messages:
            asked = json.loads(message.body)
            if asked["data"]["method"] == "raw":
                experiment = asked["experimentid"]
                body = {
                    "specversion": "1.0",
                    "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{experiment}/{asked['data']['ask']}")),
                    "source": "raw-searcher",
                    "type": "etude.search.answered.v1",
                    "time": datetime.now(UTC).isoformat(),
                    "experimentid": experiment,
                    "data": answer(asked["data"]),
                }
                partition = zlib.crc32(experiment.encode()) % 16
                key = f"search.answered.default.{partition}"
                await exchange.publish(aio_pika.Message(json.dumps(body).encode()), key, mandatory=True)
            await message.ack()


if __name__ == "__main__":
    asyncio.run(main())
