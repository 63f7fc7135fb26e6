"""The collections, their unique keys and their indexes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Collection:
    """A collection of documents. Every document has a string ``_id``.

    Parameters
    ----------
    name : its name
    unique : fields that are unique together, besides ``_id``
    indexes : fields that are looked up or sorted by, each a tuple
    """

    name: str
    unique: tuple[tuple[str, ...], ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()


EXPERIMENTS = Collection("experiments", indexes=(("state",),))
SEARCH_LOG = Collection("search_log", unique=(("experiment_id", "seq"),))
SEARCH_SNAPSHOTS = Collection("search_snapshots", unique=(("experiment_id", "seq", "part"),))
TRIALS = Collection("trials", indexes=(("pool", "open"), ("experiment_id", "trial_id")))
EXPERIMENT_SHARES = Collection("experiment_shares", indexes=(("pool", "state"),))
RUNNERS = Collection("runners", indexes=(("pool",),))
VALIDATIONS = Collection(
    "validations",
    indexes=(
        ("experiment_id", "order"),
        ("experiment_id", "improves", "order"),
        ("experiment_id", "trial_id", "order"),
    ),
)
TRAINING_POINTS = Collection("training_points", indexes=(("experiment_id", "trial_id", "order"),))
LOGS = Collection("logs", indexes=(("experiment_id", "trial_id", "order"), ("experiment_id", "at")))
CHECKPOINTS = Collection("checkpoints", indexes=(("experiment_id", "trial_id", "order"),))
EXPERIMENT_VIEWS = Collection("experiment_views", indexes=(("order",), ("state", "order"), ("version",), ("format",)))
TRIAL_VIEWS = Collection(
    "trial_views",
    indexes=(
        ("experiment_id", "trial_id"),
        ("experiment_id", "standing"),
        ("experiment_id", "state", "trial_id"),
        ("experiment_id", "version"),
        ("source",),
        ("format",),
    ),
)
ALLOCATIONS = Collection(
    "allocations",
    indexes=(
        ("experiment_id", "order"),
        ("experiment_id", "trial_id", "lease_number"),
        ("runner_id", "order"),
        ("ended",),
    ),
)
POOLS = Collection("pools")
RUNNER_LOGS = Collection("runner_logs", indexes=(("runner_id", "order"),))
DEAD_LETTERS = Collection("dead_letters", indexes=(("at",),))
TOKENS = Collection("tokens", indexes=(("created_at",),))

COLLECTIONS = (
    EXPERIMENTS,
    SEARCH_LOG,
    SEARCH_SNAPSHOTS,
    TRIALS,
    EXPERIMENT_SHARES,
    RUNNERS,
    VALIDATIONS,
    TRAINING_POINTS,
    LOGS,
    CHECKPOINTS,
    EXPERIMENT_VIEWS,
    TRIAL_VIEWS,
    ALLOCATIONS,
    POOLS,
    RUNNER_LOGS,
    DEAD_LETTERS,
    TOKENS,
)
