"""Audit: what must be true of every search log, whatever happened on the way."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

DECISIONS = ("trial.continued", "trial.paused", "trial.closed")


def audit(decisions: Iterable[dict[str, Any]]) -> None:
    """Check the decisions of one experiment, as documents of the search log.

    Sequence numbers have no gap, no (trial, length) was decided twice, and each result was answered exactly once.
    """
    log = sorted(decisions, key=lambda decision: decision["seq"])
    assert [decision["seq"] for decision in log] == list(range(len(log)))
    results = [d["cause"]["data"] for d in log if d["cause"]["type"] == "etude.validation.completed.v1"]
    decided = Counter((r["trial_id"], next(iter(r["length"].values()))) for r in results)
    assert [key for key, count in decided.items() if count > 1] == []
    for decision in log:
        if decision["cause"]["type"] == "etude.validation.completed.v1":
            trial = decision["cause"]["data"]["trial_id"]
            answers = [
                e["type"]
                for e in decision["events"]
                if e["data"].get("trial_id") == trial and e["type"].removeprefix("etude.")[:-3] in DECISIONS
            ]
            assert len(answers) == 1, f"decision {decision['seq']} answers trial {trial} with {answers}"
