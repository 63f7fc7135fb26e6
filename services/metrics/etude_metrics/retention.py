"""Retention: which checkpoints nobody needs any more. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from etude.store import Document
from etude_metrics.views import OVER


@dataclass(frozen=True)
class Keep:
    """What a configuration wants kept, from its ``checkpoint_storage``."""

    experiment_best: int = 0
    trial_best: int = 1
    trial_latest: int = 1

    @classmethod
    def of(cls, config: dict[str, Any]) -> "Keep":
        """The wishes of a configuration."""
        storage = config.get("checkpoint_storage") or {}
        wish = {name: storage.get(f"save_{name}") for name in ("experiment_best", "trial_best", "trial_latest")}
        return cls(**{name: int(count) for name, count in wish.items() if count is not None})


def superfluous(
    trial: Document,
    checkpoints: Sequence[Document],
    validations: Iterable[Document],
    experiment: Document,
    needed: Iterable[str],
    now: datetime,
    grace: timedelta,
) -> list[str]:
    """URIs of a trial's checkpoints that can be deleted.

    Never the latest of a trial that may train again, nor one that was the latest less than ``grace`` ago: somebody may
    just be beginning from it.

    Parameters
    ----------
    checkpoints : of the trial, in the order of lease and length
    validations : of the trial
    needed : checkpoints that are kept for other reasons
    """
    keep = Keep.of(experiment["config"] or {})
    uris = [checkpoint["uri"] for checkpoint in checkpoints]
    latest = keep.trial_latest if trial["state"] in OVER else max(keep.trial_latest, 1)
    kept = {*needed, *uris[max(len(uris) - latest, 0) :], *_best(validations, experiment, keep.trial_best)}
    since = [datetime.fromisoformat(after["time"]) for after in checkpoints[1:]]
    since.append(now if trial["state"] not in OVER else now - grace)
    return [uri for uri, replaced in zip(uris, since, strict=True) if uri not in kept and now - replaced >= grace]


def _best(validations: Iterable[Document], experiment: Document, count: int) -> list[str]:
    """The checkpoints of the best validations."""
    metric, sign = experiment["metric"] or "", 1 if experiment["smaller_is_better"] else -1
    found = [
        (sign * value, validation["checkpoint"])
        for validation in validations
        if validation["checkpoint"] and (value := validation["metrics"].get(metric)) is not None
    ]
    return [uri for _, uri in sorted(found)[:count]]
