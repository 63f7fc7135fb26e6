"""Values for people: hyperparameters in one line, numbers without digits that say nothing."""

from collections.abc import Mapping
from typing import Any


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted name.

    >>> flat({"net": {"width": 8}, "lr": 0.1})
    {'net.width': 8, 'lr': 0.1}
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        found.update(flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value})
    return found


def show(value: Any) -> str:
    """One value.

    >>> show(0.03271123456789), show(32), show("adam")
    ('0.03271', '32', 'adam')
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def inline(hyperparameters: Mapping[str, Any]) -> str:
    """All in one line.

    >>> inline({"lr": 0.03271123456789, "net": {"width": 8}})
    'lr=0.03271 net.width=8'
    """
    return " ".join(f"{name}={show(value)}" for name, value in flat(hyperparameters).items())
