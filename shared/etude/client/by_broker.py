"""ByBroker: commands as events, which the client publishes itself."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from etude.bus.amqp import AmqpBus, Declares
from etude.client.change import read_changes
from etude.client.errors import UndeliverableError
from etude.client.experiment import prepare
from etude.client.settings import ClientSettings
from etude.client.wish import wish
from etude.config import ExperimentConfig
from etude.events import (
    CheckpointDiscarded,
    Envelope,
    Event,
    ExperimentDeleteRequested,
    ExperimentRetryRequested,
    RunnerChangeRequested,
)
from etude.service.clock import utc_now


class ByBroker:
    """Publishes the events itself."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings

    def create(self, config: ExperimentConfig, model_directory: Path, tell: Callable[[str], None]) -> str:
        """Store the model, and publish experiment.created."""
        new = prepare(config, model_directory, self._settings.storage, self._settings.user, tell)
        self._publish(new.announce(utc_now()))
        return new.experiment_id

    def wish(self, experiment_id: str, verb: str) -> None:
        """Publish it."""
        self._tell(wish(verb, self._settings.user), experiment_id)

    def change(self, experiment: dict[str, Any], assignments: Sequence[str]) -> None:
        """Check the changes, and publish them."""
        event = read_changes(assignments, experiment["config"], self._settings.user)
        self._tell(event, experiment["experiment_id"])

    def change_runner(self, runner_id: str, pool: str, enabled: bool, drain: bool, reason: str) -> None:
        """Publish it to the scheduler of the pool."""
        event = RunnerChangeRequested(
            runner_id=runner_id, enabled=enabled, drain=drain, reason=reason, requested_by=self._settings.user
        )
        self._tell(event, None, pool)

    def discard(self, experiment: dict[str, Any], checkpoint: dict[str, Any]) -> None:
        """Ask the runners of the pool to delete it."""
        pool = ((experiment["config"] or {}).get("resources") or {}).get("resource_pool") or "default"
        event = CheckpointDiscarded(trial_id=checkpoint["trial_id"], uris=[checkpoint["uri"]])
        self._tell(event, experiment["experiment_id"], pool)

    def delete(self, experiment_id: str) -> None:
        """Publish it."""
        self._tell(ExperimentDeleteRequested(requested_by=self._settings.user), experiment_id)

    def retry(self, experiment_id: str, trial_ids: Sequence[int]) -> None:
        """Publish it."""
        event = ExperimentRetryRequested(trial_ids=list(trial_ids), requested_by=self._settings.user)
        self._tell(event, experiment_id)

    def _tell(self, event: Event, experiment_id: str | None, pool: str = "default") -> None:
        self._publish(Envelope.wrap(event, source="client", time=utc_now(), experiment_id=experiment_id, pool=pool))

    def _publish(self, envelope: Envelope) -> None:
        async def publish() -> list[Envelope]:
            bus = AmqpBus(self._settings.amqp_url, name="client", declares=Declares.EXCHANGES)
            try:
                await bus.start(attempts=3)
                return await bus.publish([envelope])
            finally:
                await bus.close()

        if unwanted := _run(publish):
            raise UndeliverableError(
                f"the broker has no queue for {unwanted[0].type}; "
                "start the etude services at the same ETUDE_AMQP_URL first"
            )


def _run(work: Callable[[], Coroutine[Any, Any, list[Envelope]]]) -> list[Envelope]:
    """Run to the end; in a notebook, where a loop runs already, on a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()
