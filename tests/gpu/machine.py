"""All of etude in this process, on this machine's slots, for tests that look at what they hold."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from etude.client.experiment import prepare
from etude.config import parse
from etude.service.clock import utc_now
from etude_standalone.system import System
from etude_trial_runner.session import new_session

MODELS = Path(__file__).parents[1] / "models"


async def trials(
    home: Path, model: str, slots: int | None = None, residents: int | None = None, **config: Any
) -> list[dict[str, Any]]:
    """Run an experiment to its end; its trials.

    Parameters
    ----------
    model : name of a folder of tests/models
    slots, residents : see :class:`System`
    """
    system = System(home, new_session(), slots, residents=residents)
    new = prepare(parse({"max_restarts": 0, **config}), MODELS / model, system.storage, "tester")
    await system.start()
    try:
        await system.publish(new.announce(utc_now()))
        async with asyncio.timeout(240):
            while (found := await system.queries.experiment(new.experiment_id)) is None or found["state"] == "active":
                await asyncio.sleep(0.05)
        await system.settle()
        page, _ = await system.queries.trials(new.experiment_id, None, 100, None)
        assert found["state"] == "completed", [(t["detail"], t["log_tail"]) for t in page]
        return [dict(trial) for trial in page]
    finally:
        with contextlib.suppress(TimeoutError):
            await system.close()
