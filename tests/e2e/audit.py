"""Audit: what must be true of every search log, whatever happened on the way."""

from collections.abc import Iterable
from typing import Any

from etude_searcher.audit import check_decisions


def audit(decisions: Iterable[dict[str, Any]]) -> None:
    """Check the decisions of one experiment, as documents of the search log; see :mod:`etude_searcher.audit`."""
    assert check_decisions(sorted(decisions, key=lambda decision: decision["seq"])) == []
