"""Publishes experiment.created with nothing but aio-pika: what a program of another kind has to do.

python publish.py CONFIG.json MODEL_FOLDER     (ETUDE_AMQP_URL, ETUDE_STORAGE=file:///a/folder/that/runners/see)
"""

import asyncio
import hashlib
import io
import json
import os
import sys
import tarfile
import uuid
import zlib
from datetime import UTC, datetime
from pathlib import Path

import aio_pika

TYPE = "etude.experiment.created.v1"


def store(model: Path, storage: Path) -> dict[str, object]:
    """Pack the model's folder, put it where runners find it, and say where that is."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        tar.add(model, ".", filter=lambda member: None if "__pycache__" in member.name else member)
    sha256 = hashlib.sha256(body.getvalue()).hexdigest()
    path = storage / "model_definitions" / f"{sha256}.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body.getvalue())
    return {"uri": f"file://{path}", "sha256": sha256, "size": len(body.getvalue())}


async def main(config: dict[str, object], model: Path) -> str:
    experiment_id = uuid.uuid4().hex[:10]
    storage = Path(os.environ["ETUDE_STORAGE"].removeprefix("file://"))
    event = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "publish.py",
        "type": TYPE,
        "subject": f"experiments/{experiment_id}",
        "time": datetime.now(UTC).isoformat(),
        "experimentid": experiment_id,
        "data": {"config": config, "model_definition": store(model, storage), "seed": 7, "owner": "publish.py"},
    }
    partition = zlib.crc32(experiment_id.encode()) % 16
    connection = await aio_pika.connect(os.environ["ETUDE_AMQP_URL"])
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        exchange = await channel.get_exchange("etude.events")
        message = aio_pika.Message(
            json.dumps(event).encode(),
            content_type="application/cloudevents+json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await exchange.publish(message, f"experiment.created.default.{partition}", mandatory=True)
    return experiment_id


if __name__ == "__main__":
    print(asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))))
