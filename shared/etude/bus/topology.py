"""Exchanges, queues and routing keys: who hears what."""

import re
import zlib
from dataclasses import dataclass
from functools import lru_cache

from etude.events import Envelope

EVENTS = "etude.events"
TELEMETRY = "etude.telemetry"
DEAD = "etude.dead"
PARTITIONS = 16
REASON_HEADER = "x-etude-reason"
QUEUE_HEADER = "x-etude-queue"


@dataclass(frozen=True)
class Queue:
    """A queue and what is routed to it.

    Parameters
    ----------
    name : its name on the broker
    exchange : the topic exchange that it is bound to
    bindings : topic patterns (``*`` is one word, ``#`` any number)
    single_active : one consumer at a time gets messages; a standby takes over when it goes
    exclusive : lives and dies with one connection
    linger : seconds for which events may wait for others, to be handled and stored together
    urgent : events (``entity.verb``) for which nobody waits, nor with them any that are there already
    """

    name: str
    exchange: str
    bindings: tuple[str, ...]
    single_active: bool = True
    exclusive: bool = False
    linger: float = 0.0
    urgent: frozenset[str] = frozenset()


def partition_of(key: str) -> int:
    """The partition that an experiment (or another key) belongs to."""
    return zlib.crc32(key.encode()) % PARTITIONS


def exchange_of(envelope: Envelope) -> str:
    """The exchange that an event is published to."""
    return TELEMETRY if envelope.data.telemetry else EVENTS


def routing_key(envelope: Envelope) -> str:
    """``<entity>.<verb>.<pool>.<partition>``, and for a command to one runner its id as a fifth word."""
    entity, verb = envelope.data.name()
    key = f"{entity}.{verb}.{envelope.pool}.{partition_of(envelope.experimentid or envelope.subject)}"
    return f"{key}.{runner_word(envelope.data.runner_id)}" if envelope.data.addressed else key  # type: ignore[attr-defined]


def runner_word(runner_id: str) -> str:
    """A runner id as one word of a routing key."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", runner_id)


def searcher_partition(number: int) -> Queue:
    """What the owner of one partition of experiments hears."""
    requests = (
        "created",
        "pause-requested",
        "activate-requested",
        "cancel-requested",
        "kill-requested",
        "change-requested",
        "delete-requested",
        "retry-requested",
        "resync-requested",
    )
    keys = [*(f"experiment.{verb}" for verb in requests), "validation.completed", "trial.exited", "search.answered"]
    return Queue(f"etude.searcher.{number}", EVENTS, tuple(f"{key}.*.{number}" for key in keys))


def searcher_roster() -> Queue:
    """A queue that gets nothing: its consumers are the searchers, so that each can count them.

    Of a queue with a single active consumer the broker tells no more than that one (RabbitMQ 3.10 to 4).
    """
    return Queue("etude.searcher.roster", EVENTS, (), single_active=False)


def custom_searcher(method: str) -> Queue:
    """What the process of a custom search method hears: all questions, also to others."""
    return Queue(f"etude.custom.{runner_word(method)}", EVENTS, ("search.asked.#",))


def scheduler_pool(pool: str = "default") -> Queue:
    """What the scheduler of one resource pool hears."""
    urgent = [
        *(f"trial.{verb}" for verb in ("requested", "continued", "paused", "closed")),
        *(f"experiment.{verb}" for verb in ("activated", "paused", "completed", "failed", "canceled", "deleted")),
        *(f"runner.{verb}" for verb in ("joined", "draining", "left", "change-requested")),
    ]
    noted = ["allocation.started", "allocation.ended", "validation.completed", "checkpoint.saved", "runner.heartbeat"]
    bindings = tuple(f"{key}.{pool}.*" for key in [*urgent, *noted])
    return Queue(f"etude.scheduler.{pool}", EVENTS, bindings, linger=0.05, urgent=frozenset(urgent))


def janitor(pool: str = "default") -> Queue:
    """Checkpoints that the runners of a pool are to delete, whichever of them."""
    return Queue(f"etude.janitor.{pool}", EVENTS, (f"checkpoint.discarded.{pool}.*",), single_active=False)


def metrics_events() -> Queue:
    """Everything that is decided or reported, but the orders to runners."""
    keys = [
        *("experiment.#", "trial.#", "validation.#", "checkpoint.#", "runner.#", "pool.#", "search.#"),
        *("allocation.started.#", "allocation.ended.#"),
    ]
    return Queue("etude.metrics.events", EVENTS, tuple(keys), linger=0.1)


def metrics_telemetry() -> Queue:
    """Training metrics and logs."""
    return Queue("etude.metrics.telemetry", TELEMETRY, ("#",), linger=0.2)


def runner_commands(runner_id: str, session: str) -> Queue:
    """The commands to one runner; gone with its connection."""
    return Queue(
        f"etude.runner.{runner_word(runner_id)}.{session}",
        EVENTS,
        (f"allocation.*.*.*.{runner_word(runner_id)}",),
        exclusive=True,
    )


def dead_letters() -> Queue:
    """What could not be processed, from every queue. Its exchange is a fanout: the binding is not read."""
    return Queue(DEAD, DEAD, ("#",), single_active=False)


def durable_queues(pools: tuple[str, ...] = ("default",)) -> list[Queue]:
    """Every queue that must exist before anyone publishes, so that services may start in any order."""
    return [
        *(searcher_partition(number) for number in range(PARTITIONS)),
        searcher_roster(),
        *(scheduler_pool(pool) for pool in pools),
        *(janitor(pool) for pool in pools),
        metrics_events(),
        metrics_telemetry(),
    ]


@lru_cache(maxsize=4096)
def _pattern(binding: str) -> re.Pattern[str]:
    words = [{"*": r"[^.]+", "#": r".*"}.get(word, re.escape(word)) for word in binding.split(".")]
    return re.compile(r"\.".join(words).replace(r"\..*", r"(?:\..*)?") + r"\Z")


def matches(binding: str, key: str) -> bool:
    """Does a topic pattern match a routing key?

    >>> matches("trial.*.#", "trial.requested.default.3"), matches("trial.*", "trial.requested.default.3")
    (True, False)
    """
    return _pattern(binding).match(key) is not None
